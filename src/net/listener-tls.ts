// TLS toward clients. In: a certificate, accepted sockets. Out: sockets that decrypt and encrypt.

import { constants } from 'node:crypto'
import type { Socket } from 'node:net'
import { createSecureContext, type SecureContext, TLSSocket } from 'node:tls'
import { ConfigError, messageOf } from '../errors.ts'
import type { Certificate } from '../http/gateway.ts'

/**
 * What all connections with one certificate share.
 *
 * @throws {ConfigError} for a certificate or a key that OpenSSL cannot read, or that do not belong together
 */
export function createServerContext({ certificate, key }: Certificate): SecureContext {
  try {
    return createSecureContext({
      cert: certificate,
      key,
      minVersion: 'TLSv1.2',
      honorCipherOrder: true,
      // A new handshake within a connection is work that a client can ask for as often as it likes; TLS 1.3 has none.
      secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
      sessionIdContext: 'signet', // without one, TLS 1.2 resumes no session
    })
  } catch (thrown) {
    const reason = messageOf(thrown)
    throw new ConfigError([`tls: certificate or key cannot be used: ${reason}`])
  }
}

/** The TLS side of an accepted socket. */
export class ServerTlsSocket extends TLSSocket {
  readonly #accepted: Socket

  /**
   * The handshake happens by itself, before the first octet comes and before the first that is written leaves; when it fails,
   * the socket emits 'error' and closes, as any other that breaks.
   *
   * @param accepted nobody else may read it any more; what it was given back by `unshift` is taken from it
   */
  constructor(accepted: Socket, secureContext: SecureContext) {
    super(accepted, { isServer: true, secureContext, ALPNProtocols: ['http/1.1'] })
    this.#accepted = accepted
    // Not by a tls.Server, which tells of a connection only when the handshake is over, and not whose it is. What such a server
    // does about an error in what comes later, on an event that is not documented, falls to us: Node itself reads on.
    this.on('_tlsError', (error: Error) => this.destroy(error))
    accepted.on('error', (error) => this.destroy(error))
  }

  /** By RST, as of a plain socket: without close_notify a FIN should do, but curl takes it for a clean end all the same. */
  override resetAndDestroy(): this {
    this.#accepted.resetAndDestroy()
    return this.destroy()
  }
}
