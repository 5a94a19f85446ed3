// The connection to Redis, and whether it can be relied on. In: commands. Out: their answers within a deadline, or that there
// are none; word when it begins and when it ends that there are none. ioredis loads only where there is a link.

import type { Redis } from 'ioredis'
import { ProxyError } from '../errors.ts'
import type { RedisConfig } from '../http/gateway.ts'

/** ms between two looks at a Redis that did not answer */
const PROBE_EVERY = 1000
/** ms for a connection to be made */
const CONNECT_DEADLINE = 5000
/** A script that writes, as counting does: a Redis that is full, or a replica, answers PING all the same. */
const PROBE = "return redis.call('set', KEYS[1], '', 'EX', '1')"
const PROBE_KEY = 'signet:probe'

/** Told when Redis stops answering, with the reason, and when it answers again. */
export type OnRedis = (condition: 'gone' | 'back', reason: string) => void

/**
 * One connection. While Redis does not answer, commands are refused at once: each request would wait its whole deadline
 * otherwise. A look every second finds out when it is back.
 */
export class RedisLink {
  readonly #config: RedisConfig
  readonly #onChange: OnRedis
  readonly #opened: Promise<Redis>
  #client: Redis | undefined = undefined
  #state: 'opening' | 'answers' | 'gone' | 'closed' = 'opening'
  #probe: NodeJS.Timeout | undefined = undefined
  #probing = false

  /** @param open makes the client; it is connected when this resolves, or not for long */
  constructor(config: RedisConfig, onChange: OnRedis, open = openRedis) {
    this.#config = config
    this.#onChange = onChange
    this.#opened = within(this.#open(open), config.timeout)
    this.#opened.catch((thrown: unknown) => this.#lose(thrown))
  }

  /**
   * Runs one command.
   *
   * @throws {ProxyError} `ERR_LIMIT_UNKNOWN` when there is no answer in time, or none can be expected
   */
  async ask<T>(command: (client: Redis) => Promise<T>): Promise<T> {
    if (this.#state === 'gone' || this.#state === 'closed') throw unknown('Redis does not answer')
    try {
      // Once gone and back, it is of no matter how the first attempt ended.
      return await command(this.#state === 'answers' && this.#client ? this.#client : await this.#opened)
    } catch (thrown) {
      this.#lose(thrown)
      throw unknown('Redis did not answer', thrown)
    }
  }

  /** Ends the connection. */
  close(): void {
    this.#state = 'closed'
    clearInterval(this.#probe)
    this.#client?.disconnect()
  }

  async #open(open: typeof openRedis): Promise<Redis> {
    const client = await open(this.#config)
    if (this.#state === 'closed') {
      client.disconnect()
      throw new Error('closed')
    }
    this.#client = client
    client.on('ready', () => void this.#look())
    await probe(client)
    if (this.#state === 'opening') this.#state = 'answers'
    return client
  }

  #lose(thrown: unknown): void {
    if (this.#state === 'gone' || this.#state === 'closed') return
    this.#state = 'gone'
    this.#probe = setInterval(() => void this.#look(), PROBE_EVERY).unref()
    this.#onChange('gone', reasonOf(thrown))
  }

  /** Asks whether Redis is back. Never rejects. */
  async #look(): Promise<void> {
    const client = this.#client
    if (client === undefined || this.#state !== 'gone' || this.#probing || client.status !== 'ready') return
    this.#probing = true
    try {
      await probe(client)
      this.#find()
    } catch (thrown) {
      // The connection may be dead without anybody having said so: a new one is made.
      if (!isReply(thrown)) client.disconnect(true)
    } finally {
      this.#probing = false
    }
  }

  #find(): void {
    if (this.#state !== 'gone') return
    this.#state = 'answers'
    clearInterval(this.#probe)
    this.#onChange('back', 'Redis answers again')
  }
}

/** A client for `config`, on its way to be connected. It goes on trying until it is told to end. */
async function openRedis({ url, timeout }: RedisConfig): Promise<Redis> {
  const { Redis } = await import('ioredis')
  const client = new Redis(url, {
    commandTimeout: timeout,
    connectTimeout: CONNECT_DEADLINE,
    maxRetriesPerRequest: 0, // what was under way when the connection broke is not counted twice
    retryStrategy: (attempt) => Math.min(attempt * 50, PROBE_EVERY),
  })
  client.on('error', () => undefined) // commands tell of it
  return client
}

function probe(client: Redis): Promise<unknown> {
  return client.eval(PROBE, 1, PROBE_KEY)
}

/** Whether it is Redis that says so. */
function isReply(thrown: unknown): thrown is Error {
  return thrown instanceof Error && thrown.name === 'ReplyError'
}

/** What `promise` comes to, within `ms`. */
async function within<T>(promise: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('no answer in time')), ms)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

function unknown(message: string, cause?: unknown): ProxyError {
  return new ProxyError('ERR_LIMIT_UNKNOWN', message, { cause })
}

/** The kind of an error: its text may repeat what was sent, a password or a caller's name. */
function reasonOf(thrown: unknown): string {
  if (isReply(thrown)) return /^[A-Z]+\b/.exec(thrown.message)?.[0] ?? 'an error'
  if (!(thrown instanceof Error)) return 'no answer'
  if ('code' in thrown && typeof thrown.code === 'string') return thrown.code
  return /timed out|in time/.test(thrown.message) ? 'no answer in time' : 'no connection'
}
