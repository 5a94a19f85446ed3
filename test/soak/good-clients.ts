// The good clients of the soak: each does one thing that clients do, to the letter, and says what became of each of its
// exchanges. In: where signet is, and dice. Out: exchanges, for the judge.

import { type Answer, type AnswerSink, type BodySink, Session, Unanswered, WrongAnswer } from './answers.ts'
import type { End, Exchange } from './judge.ts'
import { BodyCheck, bodyPiece, type Dice } from './pattern.ts'

/** What a client needs. */
export interface ClientContext {
  readonly port: number
  readonly dice: Dice
  /** a number that no other exchange has */
  readonly nextId: () => number
  readonly onExchange: (exchange: Exchange) => void
  /** whether the run is over: then it begins nothing more */
  readonly stopping: () => boolean
}

/** A kind of good client; its weight says how often it comes. */
export interface GoodClient {
  readonly kind: string
  readonly weight: number
  readonly run: (context: ClientContext, kind: string) => Promise<void>
}

const KiB = 1024
const MiB = 1024 * KiB
/** ms that a client waits after it got no answer: otherwise most exchanges would be refusals. */
const PAUSE = 50
const later = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

/** Every kind. */
export const GOOD_CLIENTS: readonly GoodClient[] = [
  { kind: 'small', weight: 40, run: small },
  { kind: 'pipelined', weight: 12, run: pipelined },
  { kind: 'upload', weight: 5, run: (context, kind) => upload(context, kind, 'up') },
  { kind: 'download', weight: 5, run: (context, kind) => download(context, kind, 1, 20) },
  { kind: 'echo', weight: 4, run: (context, kind) => upload(context, kind, 'echo') },
  // Much more than the kernel takes for it: otherwise nobody would notice.
  { kind: 'slow reader', weight: 3, run: (context, kind) => download(context, kind, 8, 16, 5) },
  { kind: 'slow writer', weight: 3, run: slowWriter },
  { kind: 'HTTP/1.0', weight: 8, run: http10 },
  { kind: 'HEAD', weight: 5, run: head },
  { kind: 'expect', weight: 5, run: expectContinue },
  { kind: 'half-closed', weight: 5, run: halfClosed },
  { kind: 'early answer', weight: 4, run: early },
  { kind: 'events', weight: 3, run: events },
  { kind: 'tunnel', weight: 3, run: tunnel },
]

/** A request as it is sent, and what its answer must be. */
interface Request {
  readonly method: string
  /** its `#` becomes the id: signet's log tells paths, but no queries and no fields */
  readonly target: string
  /** octets of its body, and how they are framed; none when undefined */
  readonly body?: { readonly octets: number; readonly chunked: boolean }
  readonly fields?: string
  readonly minor?: 0 | 1
  readonly answer: Expected
}

/** What the body of the answer must be. */
type Expected =
  /** so many octets of the exchange's own pattern */
  | { readonly octets: number }
  /** this text */
  | { readonly text: string }
  /** events with the exchange's id, in order */
  | { readonly events: number }

/** One exchange under way: its request, and what has been seen of its answer. */
class Running implements AnswerSink {
  readonly id: number
  readonly request: Request
  readonly #context: ClientContext
  readonly #kind: string
  readonly #from = Date.now()
  readonly #check: BodyCheck
  readonly #pace: number
  #text = ''
  #answer: Answer | undefined = undefined
  interim = 0
  failed = false

  /** @param pace ms that are waited after each piece of the answer */
  constructor(context: ClientContext, kind: string, request: Request, pace = 0) {
    this.id = context.nextId()
    this.request = request
    this.#context = context
    this.#kind = kind
    this.#check = new BodyCheck(this.id)
    this.#pace = pace
  }

  /** The head to send. */
  get head(): string {
    const { method, target, body, fields = '', minor = 1 } = this.request
    const framing =
      body === undefined
        ? ''
        : body.chunked
          ? 'Transfer-Encoding: chunked\r\n'
          : `Content-Length: ${body.octets}\r\n`
    return `${method} ${target.replace('#', String(this.id))} HTTP/1.${minor}\r\nHost: soak\r\nX-Soak-Id: ${this.id}\r\n${fields}${framing}\r\n`
  }

  onInterim(status: number): void {
    if (status !== 100) throw new WrongAnswer(`an interim ${status} that nobody sent`)
    this.interim++
  }

  onHead(answer: Answer): BodySink {
    this.#answer = answer
    const collected = !('octets' in this.request.answer) || answer.status !== 200
    return async (piece) => {
      if (collected) this.#text += piece.toString('latin1')
      else this.#check.add(piece)
      if (this.#pace > 0) await later(this.#pace)
    }
  }

  /** Waits for the answer and says what became of the exchange. @returns whether the connection can go on */
  async take(session: Session): Promise<boolean> {
    try {
      const { closes } = await session.answer(this.request.method, this)
      this.end(this.verdict())
      return !closes && !session.ended
    } catch (error) {
      this.fail(error)
      return false
    }
  }

  /** The exchange has ended by an error on this side of the connection. */
  fail(error: unknown): void {
    if (error instanceof Unanswered) this.end({ how: 'cut', stage: error.stage, ending: error.ending })
    else if (error instanceof WrongAnswer) this.end({ how: 'wrong', why: error.message })
    else throw error
  }

  /** Whether the connection has left HTTP. */
  get switched(): boolean {
    return this.#answer?.status === 101
  }

  end(end: End): void {
    const { method, body } = this.request
    const { id } = this
    const hasBody = body !== undefined && (body.octets > 0 || body.chunked)
    const span = { from: this.#from, to: Date.now() }
    this.#context.onExchange({ id, kind: this.#kind, method, hasBody, ...span, end })
    this.failed = end.how !== 'answered'
  }

  /** What the answer that has come is worth. */
  verdict(): End {
    const { status, fields } = this.#answer as Answer
    const wrong = (why: string): End => ({ how: 'wrong', why })
    if (status !== 200) {
      const code = /"code":"(ERR_\w+)"/.exec(this.#text)?.[1]
      if (fields.get('content-type') !== 'application/problem+json') return wrong(`status ${status}`)
      if (this.request.method === 'HEAD') return { how: 'refused', status, code: 'ERR_UPSTREAM_CLOSED' } // not told
      if (code === undefined) return wrong(`a refusal that says nothing: ${this.#text}`)
      return { how: 'refused', status, code }
    }
    if (fields.get('x-soak-id') !== `${this.id}`) return wrong(`the answer to ${fields.get('x-soak-id')}`)
    if (this.request.method === 'HEAD') return { how: 'answered' }
    const { answer } = this.request
    if ('octets' in answer) {
      const { octets, wrongAt } = this.#check
      if (wrongAt !== -1) return wrong(`a wrong octet at ${wrongAt} of ${answer.octets}`)
      if (octets !== answer.octets) return wrong(`${octets} octets instead of ${answer.octets}`)
      return { how: 'answered' }
    }
    const expected = 'text' in answer ? answer.text : eventsOf(this.id, answer.events)
    return this.#text === expected
      ? { how: 'answered' }
      : wrong(`${JSON.stringify(this.#text.slice(0, 200))}`)
  }
}

function eventsOf(id: number, count: number): string {
  return Array.from({ length: count }, (_, event) => `id: ${id}\ndata: ${event}\n\n`).join('')
}

/** Opens a connection; signet always takes one. */
async function withSession(context: ClientContext, use: (session: Session) => Promise<void>): Promise<void> {
  const session = await Session.open(context.port)
  try {
    await use(session)
  } finally {
    session.close()
  }
}

/** One exchange, its body included. @returns whether the connection can go on */
async function exchange(session: Session, running: Running): Promise<boolean> {
  let over = false
  const sending = sendRequest(session, running, () => over)
  const goesOn = await running.take(session)
  if (running.failed) await later(PAUSE)
  over = !goesOn // otherwise the rest of the body still goes, to keep the connection at a boundary
  await sending
  return goesOn
}

async function sendRequest(session: Session, running: Running, over: () => boolean): Promise<void> {
  await session.send(running.head)
  await sendBody(session, running, over)
}

/** Sends the body, in pieces of any size, until it is through or of no more use. */
async function sendBody(
  session: Session,
  { id, request: { body } }: Running,
  over: () => boolean,
): Promise<void> {
  if (body === undefined) return
  let sent = 0
  for (let piece = 1; sent < body.octets && !over() && !session.ended; piece++) {
    const octets = bodyPiece(id, sent, Math.min(body.octets - sent, 1 + ((id * piece * 7919) % 65_521)))
    sent += octets.length
    if (body.chunked) await session.send(`${octets.length.toString(16)}\r\n`)
    await session.send(octets)
    if (body.chunked) await session.send('\r\n')
  }
  if (body.chunked && sent === body.octets) await session.send('0\r\n\r\n')
}

// ── requests ──────────────────────────────────────────────────────────────────────────────────────────────────

function downRequest(dice: Dice, octets: number, method = 'GET'): Request {
  const framing = dice.of(['length', 'length', 'chunked', 'chunked', 'close'])
  return { method, target: `/down/#?octets=${octets}&framing=${framing}`, answer: { octets } }
}

function upRequest(dice: Dice, octets: number, method: string, path = 'up'): Request {
  const body = { octets, chunked: dice.percent(50) }
  return {
    method,
    target: `/${path}/#`,
    body,
    answer: path === 'up' ? { text: `${octets} right` } : { octets },
  }
}

function smallRequest(dice: Dice): Request {
  const octets = dice.of([0, 1, 100, 4096, dice.between(0, 100_000)])
  switch (dice.between(0, 5)) {
    case 0:
    case 1:
      return downRequest(dice, octets)
    case 2:
      return upRequest(dice, octets, dice.of(['POST', 'PUT', 'PATCH']))
    case 3:
      return upRequest(dice, octets, 'POST', 'echo')
    case 4:
      return { method: 'POST', target: '/up/#', fields: 'Content-Length: 0\r\n', answer: { text: '0 right' } }
    default:
      return { method: 'DELETE', target: '/up/#', answer: { text: '0 right' } }
  }
}

// ── kinds ─────────────────────────────────────────────────────────────────────────────────────────────────────

/** One small exchange after the other on a connection, with pauses of all lengths. */
async function small(context: ClientContext, kind: string): Promise<void> {
  const { dice } = context
  await withSession(context, async (session) => {
    for (let left = dice.between(1, 20); left > 0 && !context.stopping(); left--) {
      if (!(await exchange(session, new Running(context, kind, smallRequest(dice))))) return
      if (dice.percent(30)) await later(dice.between(0, 40))
      if (session.ended) return // nobody has asked anything: a server may close an idle connection
    }
  })
}

/** Several requests in one write; the answers must come in their order. */
async function pipelined(context: ClientContext, kind: string): Promise<void> {
  const { dice } = context
  await withSession(context, async (session) => {
    const all = Array.from({ length: dice.between(2, 20) }, () => {
      const octets = dice.between(0, 5000)
      const request = dice.percent(70)
        ? { method: 'GET', target: `/down/#?octets=${octets}&framing=chunked`, answer: { octets } }
        : upRequest(dice, octets, 'POST')
      return new Running(context, kind, request)
    })
    const sending = (async () => {
      for (const running of all) await sendRequest(session, running, () => false)
    })()
    let goesOn = true
    for (const running of all) {
      if (goesOn) goesOn = await running.take(session)
      else running.end({ how: 'unasked' })
    }
    session.close()
    await sending
  })
}

async function upload(context: ClientContext, kind: string, path: 'up' | 'echo'): Promise<void> {
  const { dice } = context
  const octets = dice.between(MiB, path === 'up' ? 20 * MiB : 8 * MiB)
  await withSession(context, async (session) => {
    await exchange(
      session,
      new Running(context, kind, upRequest(dice, octets, dice.of(['POST', 'PUT']), path)),
    )
  })
}

/** @param pace ms between two pieces that are read */
async function download(
  context: ClientContext,
  kind: string,
  from: number,
  to: number,
  pace = 0,
): Promise<void> {
  const { dice } = context
  await withSession(context, async (session) => {
    const request = downRequest(dice, dice.between(from * MiB, to * MiB))
    await exchange(session, new Running(context, kind, request, pace))
  })
}

/** A head in pieces of a few octets. */
async function slowWriter(context: ClientContext, kind: string): Promise<void> {
  const { dice } = context
  await withSession(context, async (session) => {
    const running = new Running(context, kind, upRequest(dice, dice.between(0, 2000), 'POST'))
    const { head } = running
    for (let at = 0; at < head.length; ) {
      const end = at + dice.between(1, 9)
      await session.send(head.slice(at, end))
      await later(dice.between(1, 10))
      at = end
    }
    await sendBody(session, running, () => session.ended)
    await running.take(session)
  })
}

async function http10(context: ClientContext, kind: string): Promise<void> {
  const { dice } = context
  await withSession(context, async (session) => {
    const octets = dice.between(0, 2 * MiB)
    const down = { ...downRequest(dice, octets), minor: 0 } as const
    const up = { ...upRequest(dice, octets, 'POST'), body: { octets, chunked: false }, minor: 0 } as const
    const running = new Running(context, kind, dice.percent(60) ? down : up)
    await exchange(session, running)
  })
}

async function head(context: ClientContext, kind: string): Promise<void> {
  const { dice } = context
  await withSession(context, async (session) => {
    for (let left = dice.between(1, 5); left > 0 && !context.stopping(); left--) {
      const request = downRequest(dice, dice.between(0, 10_000), 'HEAD')
      if (!(await exchange(session, new Running(context, kind, request)))) return
    }
  })
}

/** Waits for leave to send its body, for a second at most (RFC 9110 §10.1.1). */
async function expectContinue(context: ClientContext, kind: string): Promise<void> {
  const { dice } = context
  await withSession(context, async (session) => {
    const request = {
      ...upRequest(dice, dice.between(1, 100_000), 'POST'),
      fields: 'Expect: 100-continue\r\n',
    }
    const running = new Running(context, kind, request)
    await session.send(running.head)
    let over = false
    const sending = (async () => {
      for (let waited = 0; waited < 1000 && running.interim === 0 && !over; waited += 5) await later(5)
      await sendBody(session, running, () => over)
    })()
    await running.take(session)
    over = true
    await sending
  })
}

/** Has nothing more to say, and waits for its answer. */
async function halfClosed(context: ClientContext, kind: string): Promise<void> {
  const { dice } = context
  await withSession(context, async (session) => {
    const running = new Running(context, kind, smallRequest(dice))
    await sendRequest(session, running, () => session.ended)
    session.socket.end()
    await running.take(session)
  })
}

/** Is answered before its request is through. */
async function early(context: ClientContext, kind: string): Promise<void> {
  const { dice } = context
  const body = { octets: dice.between(1, 2 * MiB), chunked: dice.percent(50) }
  const fields = dice.percent(50) ? 'Connection: close\r\n' : ''
  await withSession(context, async (session) => {
    const request = { method: 'POST', target: '/early/#', body, fields, answer: { text: 'early' } }
    const goesOn = await exchange(session, new Running(context, kind, request))
    if (goesOn) await exchange(session, new Running(context, kind, downRequest(dice, 100)))
  })
}

async function events(context: ClientContext, kind: string): Promise<void> {
  const count = context.dice.between(1, 40)
  await withSession(context, async (session) => {
    const request = { method: 'GET', target: `/events/#?events=${count}`, answer: { events: count } }
    await exchange(session, new Running(context, kind, request))
  })
}

/** Another protocol: what is sent comes back, until both have closed. */
async function tunnel(context: ClientContext, kind: string): Promise<void> {
  const { dice } = context
  await withSession(context, async (session) => {
    const fields = 'Connection: upgrade\r\nUpgrade: websocket\r\n'
    const request = { method: 'GET', target: '/tunnel/#', fields, answer: { octets: 0 } }
    const running = new Running(context, kind, request)
    await session.send(running.head)
    try {
      const { status } = await session.answer('GET', running)
      if (status !== 101) {
        running.end(running.verdict())
        return
      }
      const octets = dice.between(1, 500 * KiB)
      const check = new BodyCheck(running.id)
      const reading = session.raw(octets, (piece) => check.add(piece))
      const writing = sendRaw(session, running.id, octets)
      await Promise.all([reading, writing])
      session.socket.end()
      await session.end()
      running.end(
        check.wrongAt === -1 ? { how: 'answered' } : { how: 'wrong', why: `at ${check.wrongAt} of a tunnel` },
      )
    } catch (error) {
      running.fail(
        error instanceof Unanswered && running.switched ? new Unanswered('body', error.ending) : error,
      )
    }
  })
}

async function sendRaw(session: Session, id: number, octets: number): Promise<void> {
  for (let sent = 0; sent < octets && !session.ended; ) {
    const piece = bodyPiece(id, sent, octets - sent)
    sent += piece.length
    await session.send(piece)
  }
}
