// TLS as a client speaks it, with an eye on the records that go over the wire.

import { connect as connectPlain, type Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls'
import { generate } from 'selfsigned'
import type { Certificate } from '../../src/http/gateway.ts'
import { type Ending, Wire, within } from './wire.ts'

/** A new self-signed certificate for localhost. */
export async function makeCertificate(): Promise<Certificate> {
  const made = await generate([{ name: 'commonName', value: 'localhost' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: 'localhost' }] }],
  })
  return { certificate: made.cert, key: made.private }
}

/** A TLS connection. */
export interface TlsClient {
  /** what is said over it */
  readonly wire: Wire
  readonly socket: TLSSocket
  /** what lies under it */
  readonly plain: Socket
  /** how the connection under it has ended: what {@link wire} knows of that is not to be relied on */
  ending(): Ending | undefined
  /** content types of the records that came, in order (RFC 8446 §5.1): 21 alert, 22 handshake, 23 application data */
  records(): number[]
}

/**
 * Connects by TLS to a port on loopback and waits for the handshake.
 *
 * @param certificate the only one that is trusted
 * @param first octets that are sent before the handshake, in one write with its beginning
 * @param before octets that are sent before those, and a moment earlier
 */
export async function connectTls(
  port: number,
  certificate: Certificate,
  options: ConnectionOptions = {},
  first: string | Buffer = '',
  before: string | Buffer = '',
): Promise<TlsClient> {
  const plain = new Recorder(port, first)
  if (before !== '') {
    plain.socket.write(before)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  const socket = connect({
    socket: plain,
    ca: certificate.certificate,
    servername: 'localhost',
    ALPNProtocols: ['http/1.1'],
    allowHalfOpen: true, // passed on to the stream below; not in the types
    ...options,
  } as ConnectionOptions)
  const wire = new Wire(socket)
  const ready = new Promise((resolve, reject) => {
    socket.once('secureConnect', () => resolve(undefined)).once('error', reject)
    socket.once('close', () => reject(new Error('closed within the handshake')))
  })
  try {
    await within(ready, 'a TLS handshake')
  } catch (error) {
    wire.destroy()
    throw error
  }
  return {
    wire,
    socket,
    plain: plain.socket,
    ending: () => plain.ending,
    records: () => recordsIn(Buffer.concat(plain.received)),
  }
}

/** A stream of JavaScript between TLS and a socket: of a socket, TLS would take the octets before anybody saw them. */
class Recorder extends Duplex {
  readonly socket: Socket
  readonly received: Buffer[] = []
  ending: Ending | undefined = undefined
  #first: Buffer

  constructor(port: number, first: string | Buffer) {
    super({ allowHalfOpen: true })
    this.#first = Buffer.from(first as string, 'latin1')
    this.socket = connectPlain({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
    this.socket.on('data', (piece) => {
      this.received.push(piece)
      if (!this.push(piece)) this.socket.pause()
    })
    this.socket.on('end', () => {
      // As Wire does it: Node 20 reports a RST right behind octets as the end.
      this.ending ??= this.socket.remoteAddress === undefined && !this.socket.writableEnded ? 'reset' : 'fin'
      this.push(null)
    })
    this.socket.on('error', (error) => {
      this.ending ??= 'reset'
      this.destroy(error)
    })
    this.socket.on('close', () => this.destroy())
  }

  override _read(): void {
    this.socket.resume()
  }

  override _write(piece: Buffer, _encoding: BufferEncoding, written: (error?: Error | null) => void): void {
    this.socket.write(Buffer.concat([this.#first, piece]), written)
    this.#first = Buffer.alloc(0)
  }

  override _final(ended: (error?: Error | null) => void): void {
    this.socket.end(ended)
  }

  override _destroy(error: Error | null, destroyed: (error: Error | null) => void): void {
    this.socket.destroy()
    destroyed(error)
  }
}

function recordsIn(octets: Buffer): number[] {
  const types: number[] = []
  for (let at = 0; at + 5 <= octets.length; at += 5 + octets.readUInt16BE(at + 3)) types.push(octets[at]!)
  return types
}
