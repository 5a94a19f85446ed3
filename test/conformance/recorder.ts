// An upstream that keeps every octet it gets and answers only what the strict parser takes for a request. Whose a
// request is, it knows by the address that signet tells of the client, or by the connection's own address.

import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { valuesOf } from './strict-grammar.ts'
import { type Reading, readRequests, type StrictRequest } from './strict-parser.ts'

/** One request that was complete by strict reading. */
export interface Recorded {
  readonly request: StrictRequest
  /** address of the client it came from, as far as can be told */
  readonly owner: string
  /** its number on its connection, from 1 */
  readonly number: number
  /** its number among all that the upstream has got */
  readonly arrival: number
}

/** One connection to the upstream, octet for octet. */
export class Connection {
  readonly id: number
  readonly socket: Socket
  readonly requests: Recorded[] = []
  octets = ''
  /** octets that were read as whole requests */
  readTo = 0
  ended = false
  /** why nothing behind {@link readTo} is read any more */
  complaint: Reading['complaint'] = undefined
  readonly #address: string | undefined

  constructor(id: number, socket: Socket) {
    this.id = id
    this.socket = socket
    const { remoteAddress = '' } = socket
    this.#address = remoteAddress === '127.0.0.1' ? undefined : remoteAddress
  }

  /** Whose these octets are: by what signet says in them, or else whoever was served on this connection last. */
  ownerOf(octets: string): string {
    const told = [...octets.matchAll(/^x-forwarded-for:[\t ]*([0-9.]+)[\t ]*\r?$/gim)].at(-1)?.[1]
    return this.#address ?? told ?? this.requests.at(-1)?.owner ?? 'nobody'
  }

  /** What came behind the last whole request. */
  get tail(): string {
    return this.octets.slice(this.readTo)
  }
}

/** What an upstream does about a request: sends octets and, as it likes, more. */
export type Answer = (recorded: Recorded, connection: Connection, usual: () => void) => void

/** The upstream. */
export class Recorder {
  readonly connections: Connection[] = []
  readonly #server: Server
  #arrivals = 0
  /** by client address: what to do instead of the usual answer */
  readonly #answers = new Map<string, Answer>()
  /** the same, for requests whose body has not come yet */
  readonly #earlyAnswers = new Map<string, Answer>()
  /** clients whose next request is taken to end with its head, whatever that says */
  readonly #heedless = new Set<string>()

  private constructor(server: Server) {
    this.#server = server
    server.on('connection', (socket) => this.#accept(socket))
  }

  /** Listens on a free port of loopback. */
  static async listen(): Promise<Recorder> {
    const server = createServer({ allowHalfOpen: true, noDelay: true })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return new Recorder(server)
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** Answers the requests of the client at `address` by `answer` from here on. */
  script(address: string, answer: Answer): void {
    this.#answers.set(address, answer)
  }

  /**
   * Answers the next request of the client at `address` as soon as its head is whole, its body or not.
   *
   * @param heedless whether no body is awaited: what comes behind the head is read as the next request
   */
  scriptEarly(address: string, answer: Answer, heedless = false): void {
    this.#earlyAnswers.set(address, answer)
    if (heedless) this.#heedless.add(address)
  }

  /** Every whole request of the client at `address`, and what else came that can only be its. */
  seenOf(address: string): Seen {
    const requests: Recorded[] = []
    const complaints: string[] = []
    let unfinished = ''
    for (const connection of this.connections) {
      requests.push(...connection.requests.filter(({ owner }) => owner === address))
      const { tail } = connection
      if (tail === '' || connection.ownerOf(tail) !== address) continue
      unfinished += tail
      if (connection.complaint !== undefined) {
        complaints.push(`${connection.complaint.message} (${connection.complaint.rfc})`)
      } else if (!connection.ended) complaints.push('a request was begun, and neither finished nor cut off')
    }
    requests.sort((one, other) => one.arrival - other.arrival)
    return { requests, complaints, unfinished }
  }

  /** Octets that belong to no client that is known. */
  strays(known: ReadonlySet<string>): string[] {
    return this.connections.flatMap((connection) => [
      ...connection.requests
        .filter(({ owner }) => !known.has(owner))
        .map(({ request }) => `a request of nobody's: ${request.method} ${request.target}`),
      ...(connection.tail !== '' && !known.has(connection.ownerOf(connection.tail))
        ? [`octets of nobody's: ${JSON.stringify(connection.tail.slice(0, 200))}`]
        : []),
    ])
  }

  /** Ends everything. */
  async close(): Promise<void> {
    for (const { socket } of this.connections) socket.destroy()
    await new Promise<void>((resolve) => this.#server.close(() => resolve()))
  }

  #accept(socket: Socket): void {
    const connection = new Connection(this.connections.length + 1, socket)
    this.connections.push(connection)
    socket.setEncoding('latin1')
    socket.on('data', (text: string) => {
      connection.octets += text
      if (connection.complaint === undefined) this.#read(connection)
    })
    socket.on('end', () => {
      connection.ended = true
      socket.end()
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      connection.ended = true
    })
  }

  /** @returns whether the request is over with its head, for this upstream */
  #answerEarly(request: StrictRequest, connection: Connection, octets: string): boolean {
    const owner = connection.ownerOf(octets)
    const answer = this.#earlyAnswers.get(owner)
    if (answer === undefined) return false
    this.#earlyAnswers.delete(owner)
    const number = connection.requests.length + 1
    const recorded = { request, owner, number, arrival: ++this.#arrivals }
    const over = this.#heedless.delete(owner)
    if (over) connection.requests.push(recorded)
    answer(recorded, connection, () => {})
    return over
  }

  #read(connection: Connection): void {
    const { readTo } = connection
    const text = connection.octets.slice(readTo)
    // What browsers leave in targets passes by decision (docs/decisions/0004).
    const { requests, complaint, unfinished } = readRequests(text, { browserTargets: true })
    let start = 0
    if (unfinished !== undefined && this.#answerEarly(unfinished, connection, text.slice(unfinished.start))) {
      connection.readTo += unfinished.end
      this.#read(connection)
      return
    }
    for (const request of requests) {
      const owner = connection.ownerOf(text.slice(start, request.end))
      const recorded = { request, owner, number: connection.requests.length + 1, arrival: ++this.#arrivals }
      connection.requests.push(recorded)
      start = request.end
      connection.readTo = readTo + start
      const usual = () => answerAll(recorded, connection)
      const answer = this.#answers.get(owner)
      if (answer === undefined) usual()
      else answer(recorded, connection, usual)
    }
    connection.complaint = complaint
    if (complaint !== undefined) {
      connection.socket.end(
        'HTTP/1.1 400 Refused By The Upstream\r\nContent-Length: 0\r\nConnection: close\r\n\r\n',
      )
    }
  }
}

/** What the upstream saw of one client. */
export interface Seen {
  readonly requests: readonly Recorded[]
  /** why what came is not, or not yet, HTTP/1.1 */
  readonly complaints: readonly string[]
  /** octets of a request that was never whole */
  readonly unfinished: string
}

/** What every answer says about the request it is for. */
export interface Account {
  readonly connection: number
  /** how many requests this connection has brought */
  readonly number: number
  readonly method: string
  readonly target: string
  readonly owner: string
  /** octets of its content */
  readonly body: number
}

/** The usual answer: 200, with an account of what was seen. */
export function answerAll({ request, owner, number }: Recorded, { id, socket }: Connection): void {
  if (socket.destroyed || !socket.writable) return
  const { method, target } = request
  const account: Account = { connection: id, number, method, target, owner, body: request.body.length }
  const text = JSON.stringify(account)
  const close = valuesOf(request.fields, 'connection').join().toLowerCase().includes('close')
  const fields = `Content-Type: application/json\r\nContent-Length: ${text.length}\r\n${close ? 'Connection: close\r\n' : ''}`
  socket.write(`HTTP/1.1 200 OK\r\n${fields}\r\n${method === 'HEAD' ? '' : text}`, 'latin1')
}
