// One body on its way through an encoder. In: octets, borrowed. Out: compressed octets, and word when it cannot keep up. What
// has gone in comes out as soon as nothing more is there to be compressed with it; the work itself is done on Node's thread
// pool. It holds at most two batches of input, one piece of output in each of two queues, and what the encoder itself takes.

import { type OnFault, ProxyError } from '../errors.ts'
import { type Deadlines, NEVER, type Watched } from '../net/deadlines.ts'
import { type Guarded, guard } from '../net/guard.ts'
import { Batches } from './batches.ts'
import type { Encoder, FlushableEncoder } from './encoders.ts'

/** Takes what comes out of a compressor. */
export interface CompressorSink {
  /** Compressed octets, at least one. They are the sink's own. */
  onCompressed(octets: Buffer): void
  /** It takes input again after it was full. */
  onRoom(): void
  /** All has come out. */
  onCompressedEnd(): void
  /** Nothing more will come out. */
  onCompressorFailed(error: ProxyError): void
}

/** What a compressor needs from the process it runs in. */
export interface CompressorContext {
  readonly deadlines: Deadlines
  readonly onFault: OnFault
}

/** What it is doing. */
type State =
  | 'idle' // all that went in has come out
  | 'gathering' // what else comes in this round of the event loop goes with what came before
  | 'working' // the encoder has a batch, or flushes
  | 'ending' // the encoder has the last batch
  | 'closed'

/** Octets of input from which on it is full: a batch. */
const BATCH = 64 * 1024
/** ms without progress of the encoder: Node's thread pool is stuck. */
const STALLED = 30_000

/** Compresses one body. */
export class Compressor implements Watched, Guarded {
  deadline = NEVER
  readonly onFault: OnFault
  readonly #stream: Encoder
  readonly #flushKind: number
  readonly #deadlines: Deadlines
  readonly #sink: CompressorSink
  readonly #onClosed: () => void
  readonly #gathered = new Batches()
  #state: State = 'idle'
  #round: NodeJS.Immediate | undefined = undefined
  /** whether the encoder may hold back some of what went in */
  #unflushed = false
  #inputEnded = false
  #paused = false

  /** @param onClosed told once, when it is done or given up: the encoder's memory is free */
  constructor(
    { stream, flushKind }: FlushableEncoder,
    { deadlines, onFault }: CompressorContext,
    sink: CompressorSink,
    onClosed: () => void,
  ) {
    this.#stream = stream
    this.#flushKind = flushKind
    this.#deadlines = deadlines
    this.onFault = onFault
    this.#sink = sink
    this.#onClosed = onClosed
    deadlines.watch(this)
    stream.on('data', (octets: Buffer) => guard(this, () => this.#onOctets(octets)))
    stream.on('end', () => guard(this, () => this.#onEnd()))
    stream.on('error', (error) => guard(this, () => this.#fail(error)))
  }

  /** Whether it cannot keep up: whoever reads for it must pause until {@link CompressorSink.onRoom}. */
  get full(): boolean {
    return this.#gathered.length >= BATCH
  }

  /** Takes `octets[start, end)`. */
  write(octets: Buffer, start: number, end: number): void {
    if (this.#state === 'closed') return
    this.#gathered.append(octets, start, end)
    if (this.#state === 'idle') this.#awaitRound()
  }

  /** There is no more. */
  end(): void {
    this.#inputEnded = true
    if (this.#state === 'idle' || this.#state === 'gathering') this.#handOver()
  }

  /** Nobody can take what comes out: the encoder stops soon, and then whoever feeds it. */
  pause(): void {
    this.#paused = true
    this.#awaitProgress() // not now: it is the client's deadline that counts
    this.#stream.pause()
  }

  /** Goes on. */
  resume(): void {
    if (!this.#paused || this.#state === 'closed') return
    this.#paused = false
    this.#awaitProgress()
    this.#stream.resume()
  }

  /** Gives it up, and the encoder's memory, at once or as soon as the thread that works on it is done. */
  destroy(): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.deadline = NEVER
    this.#deadlines.unwatch(this)
    clearImmediate(this.#round)
    this.#gathered.clear()
    this.#stream.destroy()
    this.#onClosed()
  }

  onDeadline(): void {
    guard(this, () => this.#fail(new Error('the encoder has made no progress')))
  }

  onUnforeseen(error: ProxyError): void {
    this.destroy()
    this.#sink.onCompressorFailed(error)
  }

  giveUp(): void {
    this.destroy()
  }

  /** When this round of the event loop is over, all sockets that had something to say have been read. */
  #awaitRound(): void {
    this.#state = 'gathering'
    this.#round = setImmediate(this.#onRound)
  }

  readonly #onRound = (): void => {
    guard(this, () => {
      if (this.#gathered.length > 0) this.#handOver()
      else this.#flush()
    })
  }

  /** Hands all that was gathered to the encoder. */
  #handOver(): void {
    clearImmediate(this.#round)
    const wasFull = this.full
    const batch = this.#gathered.take()
    this.#unflushed = true
    this.#state = this.#inputEnded ? 'ending' : 'working'
    this.#awaitProgress()
    if (this.#inputEnded) this.#stream.end(batch)
    else this.#stream.write(batch, this.#onTaken)
    if (wasFull) this.#sink.onRoom() // what comes now is gathered meanwhile
  }

  /** The encoder is through with a batch, or with a flush. */
  readonly #onTaken = (): void => {
    guard(this, () => {
      if (this.#state !== 'working') return
      this.#gathered.giveBack()
      if (this.#gathered.length > 0 || this.#inputEnded) this.#handOver()
      else if (this.#unflushed) this.#awaitRound()
      else {
        this.#state = 'idle'
        this.#awaitProgress()
      }
    })
  }

  /** Nothing more is there: what the encoder would rather compress together with more comes out now. */
  #flush(): void {
    this.#unflushed = false
    this.#state = 'working'
    this.#awaitProgress()
    this.#stream.flush(this.#flushKind, this.#onTaken)
  }

  /** While the encoder has something to do, and somewhere to leave it, something must come of it in time. */
  #awaitProgress(): void {
    const busy = this.#state === 'working' || this.#state === 'ending'
    this.deadline = busy && !this.#paused ? this.#deadlines.after(STALLED) : NEVER
  }

  #onOctets(octets: Buffer): void {
    if (this.#state === 'closed') return
    this.#awaitProgress()
    this.#sink.onCompressed(octets)
  }

  #onEnd(): void {
    if (this.#state === 'closed') return
    this.destroy()
    this.#sink.onCompressedEnd()
  }

  #fail(cause: Error): void {
    if (this.#state === 'closed') return
    this.onFault(cause)
    this.onUnforeseen(new ProxyError('ERR_INTERNAL', `compression: ${cause.message}`, { cause }))
  }
}
