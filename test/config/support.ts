// What the tests of the configuration share: files that are not there, certificates, the whole way from text to Config.

import { generate } from 'selfsigned'
import type { ReadConfig } from '../../src/config.ts'
import { type LoadInput, loadConfig } from '../../src/config/load.ts'
import { ConfigError } from '../../src/errors.ts'

/** Reads `text` as /etc/signet.yaml; other files by their paths. */
export function load(
  text: string,
  { files = {}, ...input }: Partial<LoadInput> & { files?: Readonly<Record<string, string>> } = {},
): Promise<ReadConfig> {
  const all: Record<string, string> = { '/etc/signet.yaml': text, ...files }
  const readFile = (path: string) => {
    const content = all[path]
    if (content === undefined) throw Object.assign(new Error(`open '${path}'`), { code: 'ENOENT' })
    return content
  }
  return loadConfig({ env: {}, readFile, ...input, flags: input.flags ?? { config: '/etc/signet.yaml' } })
}

/** What {@link load} complains of, without the path of the file. */
export async function problemsOf(...given: Parameters<typeof load>): Promise<readonly string[]> {
  try {
    await load(...given)
    return []
  } catch (error) {
    if (error instanceof ConfigError)
      return error.problems.map((text) => text.replaceAll('/etc/signet.yaml:', ''))
    throw error
  }
}

/** A certificate and its key, PEM. */
export async function createCertificate(name: string): Promise<{ certificate: string; key: string }> {
  const { cert, private: key } = await generate([{ name: 'commonName', value: name }], { keySize: 2048 })
  return { certificate: cert, key }
}
