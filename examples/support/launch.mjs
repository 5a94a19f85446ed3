// What the examples start their processes with: each in a session of its own, all ended together. In: command lines. Out: where
// they listen, what they print, one exit code: 0 after Ctrl-C, 1 with a reason when one of them cannot start or dies.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'

/** The environment, without settings of another signet. */
const INHERITED = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !name.startsWith('SIGNET_')),
)

/** ms to begin, and to end politely. */
const TO_BEGIN = 20_000
const TO_END = 800

/** A sentence for the user, and the end. */
export class Failure extends Error {}

/** The processes, and their end. */
export class Processes {
  #running = new Set()
  #closing = false
  #fail

  /** Rejects when one of them ends unasked. */
  failed = new Promise((_, reject) => {
    this.#fail = reject
  })

  constructor() {
    this.failed.catch(() => undefined) // nobody waits for it yet
  }

  /**
   * Starts one and waits until it says that it listens.
   *
   * @param {{ name: string, args: string[], env: Record<string, string>, says: 'stdout' | 'stderr', listens?: RegExp,
   *   relay?: (line: string) => string }} what with where it says so, and how: its group is what is returned. `relay` is how
   *   each line of stdout is printed here
   * @returns its URL, unless `listens` says otherwise
   */
  async start({ name, args, env, says, listens: pattern = /listen\w+ .*?(http:\S+)\n/, relay }) {
    const child = this.#spawn(args, env, ['ignore', says === 'stdout' ? 'pipe' : 'inherit', 'pipe'])
    if (relay !== undefined) relayLines(child.stdout, relay)
    let said = ''
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding('utf8').on('data', (text) => {
        said = (said + text).slice(-4000)
      })
    const ended = once(child, 'close').then(([code, signal]) => {
      const how = signal === null ? `with exit code ${code}` : `by ${signal}`
      throw new Failure(`${name} has ended ${how}${code ? `:\n${said.trimEnd().replace(/^/gm, '  ')}` : ''}`)
    })
    const listens = new Promise((resolve) => {
      child[says].on('data', () => {
        const [, url] = pattern.exec(said) ?? []
        if (url !== undefined) resolve(url)
      })
    })
    const late = new Promise((_, reject) => {
      setTimeout(
        () => reject(new Failure(`${name} does not listen after ${TO_BEGIN / 1000} s`)),
        TO_BEGIN,
      ).unref()
    })
    const url = await Promise.race([listens, ended, late])
    ended.catch(this.#fail)
    return url
  }

  /** Starts one on the port of that variable, or on any free one if that is taken. */
  async startNear(port, { variable, ...what }) {
    const startAt = (at) => this.start({ ...what, env: { ...what.env, [variable]: String(at) } })
    try {
      return await startAt(port)
    } catch (error) {
      if (!/EADDRINUSE|is taken/.test(error.message)) throw error
      return await startAt(0)
    }
  }

  /** Runs one to its end. @param input what it reads @throws {Failure} when its exit code is not 0 */
  async run({ name, args, input }) {
    const child = this.#spawn(args, {}, ['pipe', 'ignore', 'inherit'])
    child.stdin.on('error', () => undefined).end(input)
    const [code] = await once(child, 'close')
    if (code !== 0) throw new Failure(`${name} has ended with exit code ${code}`)
  }

  #spawn(args, env, stdio) {
    if (this.#closing) throw new Failure('it was ended')
    // A session of its own: Ctrl-C reaches this process alone, which then ends the others, each once.
    const child = spawn(process.execPath, args, { env: { ...INHERITED, ...env }, stdio, detached: true })
    this.#running.add(child)
    child.once('close', () => this.#running.delete(child))
    return child
  }

  /** Ends them all, politely at first. */
  async end() {
    this.#closing = true
    const ends = [...this.#running].map((child) => once(child, 'close'))
    for (const child of this.#running) child.kill('SIGTERM')
    const timer = setTimeout(() => {
      for (const child of this.#running) child.kill('SIGKILL')
    }, TO_END)
    await Promise.all(ends)
    clearTimeout(timer)
  }
}

/** Prints each line as `relay` has it, no faster than it is read. */
function relayLines(stream, relay) {
  let rest = ''
  const print = (text) => {
    if (text === '' || process.stdout.write(text)) return
    stream.pause()
    process.stdout.once('drain', () => stream.resume())
  }
  stream.setEncoding('utf8').on('data', (text) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop()
    print(lines.map((line) => `${relay(line)}\n`).join(''))
  })
  stream.once('end', () => print(rest === '' ? '' : `${relay(rest)}\n`))
}

/** That port, or any free one if it is taken: for processes that have to know of each other before they listen. */
export async function portNear(port) {
  const server = createServer()
  const listen = async (at) => {
    server.listen(at, '127.0.0.1')
    await once(server, 'listening')
  }
  try {
    await listen(port)
  } catch (error) {
    if (error.code !== 'EADDRINUSE') throw error
    await listen(0)
  }
  const found = server.address().port
  server.close()
  await once(server, 'close')
  return found
}

/** The commands between `<!-- try -->` and `<!-- tried -->` on a page, from where everything runs. */
export function commandsToTry(page) {
  const [, part] = readFileSync(page, 'utf8').split(/<!-- (?:try|tried) -->/)
  return [...part.matchAll(/^## (.*)$|```sh\n([\s\S]*?)```/gm)]
    .map(([, title, block]) => (title === undefined ? block : `# ── ${title} ──`))
    .join('\n')
}

/**
 * Starts everything, prints what there is to try, and waits for Ctrl-C.
 *
 * @param {{ name: string, start: (processes: Processes) => Promise<string>, cleanUp?: () => void }} what `start` gives the text
 * @returns the exit code
 */
export async function launch({ name, start, cleanUp = () => undefined }) {
  const asked = new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => resolve())
    process.stdout.on('error', () => resolve()) // nobody reads any more
  })
  const processes = new Processes()
  try {
    const text = await Promise.race([start(processes), processes.failed, asked])
    if (text === undefined) return 0
    process.stdout.write(text)
    await Promise.race([asked, processes.failed])
    return 0
  } catch (error) {
    process.stderr.write(`${name}: ${error instanceof Failure ? error.message : error.stack}\n`)
    return 1
  } finally {
    await processes.end()
    cleanUp()
  }
}

/** `export NAME=value`, a line each. */
export function exportsOf(places) {
  return Object.entries(places)
    .map(([variable, value]) => `export ${variable}=${value}\n`)
    .join('')
}
