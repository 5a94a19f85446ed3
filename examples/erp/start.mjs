// The whole example as one command: both targets, signet before them, and the commands to try. In: nothing; HTTP_PORT says
// where signet listens. Out: an exit code, 0 after Ctrl-C. What it makes, secrets and a folder for the partners, is gone then.

import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const HERE = fileURLToPath(new URL('.', import.meta.url))
const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url))

/** The environment, without settings of another signet. */
const INHERITED = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !name.startsWith('SIGNET_')),
)

/** ms to begin, and to end politely. */
const TO_BEGIN = 20_000
const TO_END = 800

/** A sentence for the user, and the end. */
class Failure extends Error {}

/** The processes, and their end. */
class Processes {
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
   * @param {{ name: string, args: string[], env: Record<string, string>, says: 'stdout' | 'stderr' }} what with where it says so
   * @returns its URL
   */
  async start({ name, args, env, says }) {
    const child = this.#spawn(args, env, ['ignore', says === 'stdout' ? 'pipe' : 'inherit', 'pipe'])
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
        const [, url] = /listen\w+ .*?(http:\S+)\n/.exec(said) ?? []
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

  /** The demo user, as an operator would add it. */
  async addUser(file, name, password) {
    const child = this.#spawn([MAIN, 'user', 'add', file, name], {}, ['pipe', 'ignore', 'inherit'])
    child.stdin.on('error', () => undefined).end(`${password}\n`)
    const [code] = await once(child, 'close')
    if (code !== 0) throw new Failure(`the user ${name} could not be added`)
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

/** The commands of README.md, from where everything runs. */
function commandsToTry() {
  const [, page] = readFileSync(join(HERE, 'README.md'), 'utf8').split(/<!-- (?:try|tried) -->/)
  return [...page.matchAll(/^## (.*)$|```sh\n([\s\S]*?)```/gm)]
    .map(([, title, block]) => (title === undefined ? block : `# ── ${title} ──`))
    .join('\n')
}

/** Starts everything. @returns what the commands to try need to know */
async function start(processes, folder) {
  const keys = {
    TRANSACTIONS_API_KEY: randomBytes(16).toString('hex'),
    CONTENTS_API_KEY: randomBytes(16).toString('hex'),
  }
  const target = (name, port) => {
    const env = { ...keys, HOST: '127.0.0.1' }
    const args = [join(HERE, `targets/${name}.mjs`)]
    return processes.startNear(port, { name, args, env, variable: 'PORT', says: 'stdout' })
  }
  const config = join(folder, 'signet.yaml')
  copyFileSync(join(HERE, 'signet.yaml'), config)
  const [transactions, contents] = await Promise.all([
    target('transactions', 8001),
    target('contents', 8002),
    processes.addUser(join(folder, 'users'), 'WAL001', 'wal001-demo'),
  ])

  const places = { TRANSACTIONS_URL: transactions, CONTENTS_URL: contents, ...keys }
  const env = {
    ...places,
    SIGNET_SECRET: randomBytes(64).toString('hex'),
    SESSION_SECRET: randomBytes(32).toString('hex'),
    SIGNET_CONFIG: config,
    SIGNET_DRAIN_TIMEOUT: '300', // ms: Ctrl-C is not to wait for anybody
  }
  const signet = { name: 'signet', args: [MAIN, 'run'], env, variable: 'HTTP_PORT', says: 'stderr' }
  // A port that was asked for is that port or none: another one would be a surprise.
  const gateway = process.env.HTTP_PORT
    ? await processes.start(signet)
    : await processes.startNear(8080, signet)
  return { GATEWAY: gateway, ...places, ERP: folder }
}

async function main() {
  const asked = new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => resolve())
    process.stdout.on('error', () => resolve()) // nobody reads any more
  })
  const processes = new Processes()
  const folder = mkdtempSync(join(tmpdir(), 'signet-erp-'))
  try {
    const places = await Promise.race([start(processes, folder), processes.failed, asked])
    if (places === undefined) return 0
    const exported = Object.entries(places).map(([name, value]) => `export ${name}=${value}`)
    process.stdout.write(
      `Two services, and signet before them. In another terminal:\n\n${exported.join('\n')}\n\n`,
    )
    process.stdout.write(`${commandsToTry()}\nCtrl-C ends all three. What signet logs:\n\n`)
    await Promise.race([asked, processes.failed])
    return 0
  } catch (error) {
    process.stderr.write(`examples/erp: ${error instanceof Failure ? error.message : error.stack}\n`)
    return 1
  } finally {
    await processes.end()
    rmSync(folder, { recursive: true, force: true })
  }
}

process.exitCode = await main()
