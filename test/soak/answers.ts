// The client's end of one connection: octets out, answers in. Answers are read as they come and never gathered, so that
// a body of any size can be checked and a slow reader is really slow. Shares no code with src/.

import { connect, type Socket } from 'node:net'
import { within } from '../support/wire.ts'

/** An answer did not come, or not whole. */
export class Unanswered extends Error {
  /** how far it had come: nothing of it, some of its head, or some of its body */
  readonly stage: 'nothing' | 'head' | 'body'
  /** how the connection ended; `late` when it did not */
  readonly ending: 'fin' | 'reset' | 'late'

  constructor(stage: Unanswered['stage'], ending: Unanswered['ending']) {
    super(`${ending} with ${stage === 'nothing' ? 'no answer' : `part of the ${stage}`}`)
    this.stage = stage
    this.ending = ending
  }
}

/** An answer that breaks the rules: signet's fault, whatever the upstream did. */
export class WrongAnswer extends Error {}

/** The head of an answer. */
export interface Answer {
  readonly status: number
  /** lower-case names; of several lines the last */
  readonly fields: ReadonlyMap<string, string>
  /** whether the connection ends with it */
  readonly closes: boolean
}

/** Takes the pieces of a body. Borrowed; what it returns is waited for. */
export type BodySink = (piece: Buffer) => void | Promise<void>

/** Who takes an answer. */
export interface AnswerSink {
  /** An interim answer. */
  onInterim?(status: number): void
  /** The head of the final one. @returns who takes its body */
  onHead(answer: Answer): BodySink
}

/** ms that an answer may take in all. Far above every deadline of signet's. */
const PATIENCE = 30_000
const MAX_HEAD = 65_536

/** One connection to signet. */
export class Session {
  readonly socket: Socket
  #kept: Buffer = Buffer.alloc(0)
  #ending: 'fin' | 'reset' | undefined = undefined
  #waiting: (() => void)[] = []

  private constructor(socket: Socket) {
    this.socket = socket
    socket.on('readable', () => this.#wake())
    // Node 20 reports a RST right behind octets like FIN; but after RST the kernel no longer knows a peer.
    socket.on('end', () =>
      this.#end(!socket.writableEnded && socket.remoteAddress === undefined ? 'reset' : 'fin'),
    )
    socket.on('error', () => this.#end('reset'))
    socket.on('close', () => this.#end('fin'))
    socket.on('drain', () => this.#wake())
  }

  /** @throws when signet does not take the connection */
  static async open(port: number): Promise<Session> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true })
    const session = new Session(socket)
    const connected = new Promise<void>((resolve, reject) => {
      socket.once('connect', () => resolve())
      socket.once('error', reject)
    })
    await within(connected, 'signet to take a connection', PATIENCE)
    return session
  }

  #end(how: 'fin' | 'reset'): void {
    if (this.#ending !== 'reset') this.#ending = how
    this.#wake()
  }

  /** Whether the peer has ended the connection, and everything it sent has been taken. */
  get over(): boolean {
    return this.#ending !== undefined && this.#kept.length === 0 && this.socket.readableLength === 0
  }

  /** Whether a peer has ended the connection or it cannot be written to. */
  get ended(): boolean {
    return this.#ending !== undefined || !this.socket.writable
  }

  /** Sends, and waits until it has gone when there is much. Sending to an ended connection is no fault. */
  async send(octets: string | Buffer): Promise<void> {
    if (!this.socket.writable) return
    if (this.socket.write(octets)) return
    const late = performance.now() + PATIENCE
    while (this.socket.writableNeedDrain && this.socket.writable && performance.now() < late) {
      await this.#woken()
    }
  }

  close(): void {
    this.socket.destroy()
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }

  /** Resolves when something has happened, or after a while: whoever waits looks again, and at the clock. */
  #woken(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, 1000)
      this.#waiting.push(() => {
        clearTimeout(timer)
        resolve()
      })
    })
  }

  /** The next octets; undefined at the end. */
  async #piece(late: number): Promise<Buffer | undefined> {
    for (;;) {
      if (this.#kept.length > 0) {
        const kept = this.#kept
        this.#kept = Buffer.alloc(0)
        return kept
      }
      const piece = this.socket.read() as Buffer | null
      if (piece !== null) return piece
      if (this.#ending !== undefined) return undefined
      if (performance.now() > late) throw new Unanswered('nothing', 'late')
      await this.#woken()
    }
  }

  /**
   * Takes the next answer, whole.
   *
   * @throws {Unanswered} it did not come whole
   * @throws {WrongAnswer} it is malformed
   */
  async answer(method: string, sink: AnswerSink): Promise<Answer> {
    const late = performance.now() + PATIENCE
    for (;;) {
      const { status, fields } = parseHead(await this.#head(late))
      if (status < 200 && status !== 101) {
        sink.onInterim?.(status)
        continue
      }
      const closes = /(^|,)\s*close\s*(,|$)/i.test(fields.get('connection') ?? '')
      const answer = { status, fields, closes }
      await this.#body(method, answer, sink.onHead(answer), late)
      return answer
    }
  }

  async #head(late: number): Promise<string> {
    let octets: Buffer = Buffer.alloc(0)
    for (;;) {
      const end = octets.indexOf('\r\n\r\n')
      if (end !== -1) {
        this.#kept = octets.subarray(end + 4)
        return octets.toString('latin1', 0, end)
      }
      if (octets.length > MAX_HEAD) throw new WrongAnswer('a head without an end')
      const piece = await this.#piece(late)
      if (piece === undefined) throw this.#cut(octets.length === 0 ? 'nothing' : 'head')
      octets = octets.length === 0 ? piece : Buffer.concat([octets, piece])
    }
  }

  async #body(method: string, { status, fields }: Answer, sink: BodySink, late: number): Promise<void> {
    const coding = fields.get('transfer-encoding')
    const length = fields.get('content-length')
    if (coding !== undefined && length !== undefined) throw new WrongAnswer('both length and coding')
    if (method === 'HEAD' || status === 101 || status === 204 || status === 304) return
    if (coding !== undefined) await this.#chunked(sink, late)
    else if (length !== undefined) await this.#octets(Number(length), sink, late)
    else await this.#untilClose(sink, late)
  }

  async #octets(count: number, sink: BodySink, late: number): Promise<void> {
    for (let left = count; left > 0; ) {
      const piece = await this.#piece(late)
      if (piece === undefined) throw this.#cut('body')
      const mine = piece.subarray(0, left)
      this.#kept = piece.subarray(mine.length)
      left -= mine.length
      await sink(mine)
    }
  }

  async #chunked(sink: BodySink, late: number): Promise<void> {
    for (;;) {
      const line = await this.#line(late)
      if (!/^[0-9a-f]+$/i.test(line)) throw new WrongAnswer(`a chunk size of ${JSON.stringify(line)}`)
      const size = Number.parseInt(line, 16)
      if (size > 0) await this.#octets(size, sink, late)
      const end = await this.#line(late)
      if (size === 0 && end !== '') throw new WrongAnswer('trailers that nobody sent')
      if (end !== '') throw new WrongAnswer('a chunk that is longer than its size')
      if (size === 0) return
    }
  }

  async #line(late: number): Promise<string> {
    let octets: Buffer = Buffer.alloc(0)
    for (;;) {
      const end = octets.indexOf('\r\n')
      if (end !== -1) {
        this.#kept = octets.subarray(end + 2)
        return octets.toString('latin1', 0, end)
      }
      if (octets.length > 1000) throw new WrongAnswer('a line without an end')
      const piece = await this.#piece(late)
      if (piece === undefined) throw this.#cut('body')
      octets = Buffer.concat([octets, piece])
    }
  }

  async #untilClose(sink: BodySink, late: number): Promise<void> {
    for (;;) {
      const piece = await this.#piece(late)
      if (piece === undefined) break
      await sink(piece)
    }
    if (this.#ending === 'reset') throw this.#cut('body')
  }

  /** Takes what comes, outside of any answer, until `count` octets are there or the connection has ended. */
  async raw(count: number, sink: BodySink): Promise<void> {
    await this.#octets(count, sink, performance.now() + PATIENCE)
  }

  /** Waits until the peer has closed its side. */
  async end(): Promise<void> {
    const late = performance.now() + PATIENCE
    const piece = await this.#piece(late)
    if (piece !== undefined) throw new WrongAnswer(`${piece.length} octets that nobody asked for`)
    if (this.#ending === 'reset') throw this.#cut('body')
  }

  #cut(stage: Unanswered['stage']): Unanswered {
    return new Unanswered(stage, this.#ending ?? 'fin')
  }
}

function parseHead(head: string): { status: number; fields: ReadonlyMap<string, string> } {
  const [start = '', ...lines] = head.split('\r\n')
  const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(start)?.[1])
  if (Number.isNaN(status)) throw new WrongAnswer(`a status line of ${JSON.stringify(start.slice(0, 80))}`)
  const fields = new Map<string, string>()
  for (const line of lines) {
    const at = line.indexOf(':')
    if (at <= 0) throw new WrongAnswer(`a field line of ${JSON.stringify(line.slice(0, 80))}`)
    fields.set(line.slice(0, at).toLowerCase(), line.slice(at + 1).trim())
  }
  return { status, fields }
}
