// Pages whose commands a shell runs, each answered as the comment behind it says; and the shell. Needs bash.

import { type ChildProcess, spawn } from 'node:child_process'
import { type AddressInfo, createServer } from 'node:net'
import * as assert from 'uvu/assert'
import { eventually } from './wire.ts'

/** ms for one command: the longest sends 600 requests. */
export const PATIENT = 15_000

/** Free ports, each another one. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'))
  await Promise.all(servers.map((server) => new Promise((resolve) => server.once('listening', resolve))))
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}

/** One line of a page, and what its comment promises. */
export interface Statement {
  readonly command: string
  readonly status?: string
  /** what is to be found in the answer, or not to be found in it */
  readonly found?: string
  readonly absent?: string
}

export function statementsIn(text: string): Statement[] {
  return text.split('\n').flatMap((line): Statement[] => {
    if (line.trim() === '' || line.startsWith('#')) return []
    const [, command = line, status, more = ''] = /^(.*?) +# (\d{3})\b([^;]*)/.exec(line) ?? []
    if (status === undefined) return [{ command: line }]
    const [, absent] = /^ no (.+)/.exec(more) ?? []
    const found = absent === undefined ? more.trim() : ''
    return [{ command, status, ...(absent && { absent }), ...(found !== '' && { found }) }]
  })
}

/** All blocks of commands on a page. */
export function blocksOf(page: string): string {
  return [...page.matchAll(/^```sh\n([\s\S]*?)^```/gm)].map(([, block]) => block).join('\n')
}

/** A child process, and everything that it and its own have printed. */
export class Talker {
  readonly child: ChildProcess
  readonly closed: Promise<number | null>
  text = ''

  constructor(file: string, args: readonly string[], cwd: string, env: NodeJS.ProcessEnv) {
    this.child = spawn(file, args, { cwd, env, stdio: ['pipe', 'pipe', 'pipe'] })
    for (const stream of [this.child.stdout, this.child.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.text += text
      })
    this.closed = new Promise((resolve) => this.child.once('close', resolve))
  }

  /** Waits until something has been printed. */
  async says(what: string | RegExp, ms = PATIENT): Promise<string> {
    const there = () => (typeof what === 'string' ? this.text.includes(what) : what.test(this.text))
    await eventually(
      () => there() || this.child.exitCode !== null,
      `${what}; it says ${this.text.slice(-2000)}`,
      ms,
    )
    assert.ok(there(), `it ended without ${what}: ${this.text.slice(-2000)}`)
    return this.text
  }
}

/** A shell that takes one command after the other. */
export class Shell extends Talker {
  #count = 0

  constructor(cwd: string, env: NodeJS.ProcessEnv) {
    super('bash', ['--noprofile', '--norc', '-s'], cwd, env)
  }

  /** @returns what was printed meanwhile */
  async run(command: string): Promise<string> {
    const before = this.text.length
    const mark = `\n@${++this.#count}@`
    this.child.stdin?.write(`{ ${command}\n} </dev/null\necho; echo "@${this.#count}@$?@"\n`)
    await this.says(`${mark}`)
    await this.says(new RegExp(`${mark}\\d+@`))
    const [, code] = new RegExp(`${mark}(\\d+)@`).exec(this.text) ?? []
    const printed = this.text.slice(before, this.text.indexOf(mark))
    assert.is(code, '0', `${command} ended with ${code}: ${printed}`)
    return printed
  }
}

/**
 * Runs commands and looks at what comes of them.
 *
 * @param look at what a command printed, where the page does not say all
 * @returns how many of them were answered with a status
 */
export async function walk(
  shell: Shell,
  statements: readonly Statement[],
  look: (command: string, printed: string) => Promise<unknown> | undefined = () => undefined,
): Promise<number> {
  for (const { command, status, found, absent } of statements) {
    const printed = await shell.run(command)
    const fail = `${command}\n${printed}`
    if (status !== undefined) assert.is(/^HTTP\/1\.1 (\d{3}) /m.exec(printed)?.[1], status, fail)
    if (found !== undefined) assert.ok(printed.includes(found), `${JSON.stringify(found)}: ${fail}`)
    if (absent !== undefined) assert.not.ok(printed.includes(absent), `no ${JSON.stringify(absent)}: ${fail}`)
    await look(command, printed)
  }
  return statements.filter(({ status }) => status !== undefined).length
}
