// `signet cert`: makes a self-signed certificate, for TLS while developing. In: names and a directory. Out: a certificate and
// its key, as PEM files, and how to use them.

import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { generate } from 'selfsigned'
import { isIPv4, isIPv6 } from '../http/request-target.ts'
import type { Output } from './echo.ts'

/** What `signet cert` needs from outside. */
export interface CertOptions {
  readonly stdout: Output
  readonly stderr: Output
  /** ms since the epoch; the system's when not given */
  readonly now?: () => number
}

const USAGE = `Usage: signet cert [--name NAME]... [--out DIR] [--days N] [--force]

Makes a self-signed certificate for development, and its key, readable for you alone.

  --name NAME   DNS name or IP address that it is for; may be given more than once
                (default: localhost, 127.0.0.1 and ::1)
  --out DIR     where signet-cert.pem and signet-key.pem are written (default: .)
  --days N      days that it is valid, 1 to 3650 (default: 365)
  --force       overwrite files that are there
  -h, --help    this text
`

const FLAGS = {
  name: { type: 'string', multiple: true },
  out: { type: 'string', default: '.' },
  days: { type: 'string', default: '365' },
  force: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const

const DEFAULT_NAMES = ['localhost', '127.0.0.1', '::1']
const DAY = 86_400_000 // ms

/** What the command line asked for. */
interface Order {
  readonly names: readonly string[]
  readonly out: string
  readonly days: number
  readonly force: boolean
}

/**
 * `signet cert`.
 *
 * @param argv arguments after `cert`
 * @returns the exit code: 0 when both files are written (or for `--help`), 1 with one line on stderr when not, 2 with the
 *   usage for wrong usage
 */
export async function runCert(argv: readonly string[], options: CertOptions): Promise<number> {
  const { stdout, stderr, now = Date.now } = options
  const order = readOrder(argv)
  if (order === 'help') {
    stdout.write(USAGE)
    return 0
  }
  if (typeof order === 'string') {
    stderr.write(`signet cert: ${order}\n\n${USAGE}`)
    return 2
  }
  const certificate = join(order.out, 'signet-cert.pem')
  const key = join(order.out, 'signet-key.pem')
  try {
    const made = await make(order, now())
    await makeDirectory(order.out)
    await writeBoth([key, made.private, 0o600], [certificate, made.cert, 0o644], order.force)
  } catch (error) {
    stderr.write(`signet cert: ${(error as Error).message}\n`)
    return 1
  }
  stdout.write(sayUse(order, resolve(certificate), resolve(key)))
  return 0
}

/** @returns what was asked for, or what is wrong with it */
function readOrder(argv: readonly string[]): Order | 'help' | (string & {}) {
  let values: ReturnType<typeof parse>['values']
  try {
    values = parse(argv).values
  } catch (error) {
    return (error as Error).message // parseArgs throws nothing but TypeErrors
  }
  if (values.help) return 'help'
  const { name: names = DEFAULT_NAMES, out, days, force } = values
  const wrong = names.find((name) => !isName(name))
  if (wrong !== undefined) return `${wrong} is neither a DNS name nor an IP address`
  if (!/^[1-9][0-9]{0,3}$/.test(days) || Number(days) > 3650) return '--days is a number from 1 to 3650'
  if (out === '') return '--out names a directory'
  return { names, out, days: Number(days), force }
}

function parse(argv: readonly string[]) {
  return parseArgs({ args: [...argv], options: FLAGS })
}

const LABEL = '[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?'
const DNS_NAME = new RegExp(`^(?:\\*\\.)?${LABEL}(?:\\.${LABEL})*$`, 'i')

function isName(name: string): boolean {
  if (isAddress(name)) return true
  return name.length <= 253 && DNS_NAME.test(name) && !/(^|\.)[0-9]+$/.test(name) // that would be half an IP address
}

function isAddress(name: string): boolean {
  return isIPv4(name) || isIPv6(name)
}

/** An elliptic key: it is made at once, and each handshake costs a fraction of what RSA does. */
function make({ names, days }: Order, now: number) {
  return generate([{ name: 'commonName', value: 'signet development certificate' }], {
    keyType: 'ec',
    curve: 'P-256',
    algorithm: 'sha256',
    notBeforeDate: new Date(now),
    notAfterDate: new Date(now + days * DAY),
    extensions: [
      // No authority: whoever trusts it trusts nothing else that its key might sign.
      { name: 'basicConstraints', cA: false, critical: true },
      { name: 'keyUsage', digitalSignature: true, critical: true },
      { name: 'extKeyUsage', serverAuth: true },
      {
        name: 'subjectAltName',
        altNames: names.map((name) => (isAddress(name) ? { type: 7, ip: name } : { type: 2, value: name })),
      },
    ],
  })
}

async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException // what node:fs throws are Errors
    throw code === 'EEXIST'
      ? new Error(`${path} is a file, and --out names a directory`, { cause: error })
      : error
  }
}

/** A path, what is written to it, and who may read it. */
type PemFile = readonly [path: string, text: string, mode: number]

/** Both files or none; neither is ever open to more people than its mode says, not even before it is written. */
async function writeBoth(first: PemFile, second: PemFile, force: boolean): Promise<void> {
  const names = [first[0], second[0]]
  // What is overwritten stays until both new files are whole, and lie beside it.
  const written = force ? names.map((path) => `${path}.new`) : names
  const made: string[] = []
  try {
    for (const [at, file] of [first, second].entries()) {
      const path = written[at]!
      if (force) await rm(path, { force: true }) // of a run that was cut off
      await writeNew(path, file)
      made.push(path)
    }
    if (force) for (const [at, path] of written.entries()) await rename(path, names[at]!)
  } catch (error) {
    for (const path of made) await rm(path, { force: true })
    throw error
  }
}

async function writeNew(path: string, [name, text, mode]: PemFile): Promise<void> {
  try {
    await writeFile(path, text.endsWith('\n') ? text : `${text}\n`, { mode, flag: 'wx' })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException // what node:fs throws are Errors
    if (code !== 'EEXIST' || path !== name) throw error
    throw new Error(`${path} is there already; --force overwrites it`, { cause: error })
  }
}

function sayUse({ names, days }: Order, certificate: string, key: string): string {
  const host = names[0]!.replace(/^\*/, 'www')
  const authority = host.includes(':') ? `[${host}]` : host
  return `A certificate for ${names.join(', ')}, valid ${days} days, that nobody else vouches for:

  ${certificate}
  ${key}

In the configuration of signet:

  tls:
    certificate: file:${certificate}
    key: file:${key}

A client that is to trust it:

  curl --cacert ${certificate} https://${authority}:8080/
`
}
