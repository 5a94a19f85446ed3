// How connections to one origin are opened: TCP, a Unix socket, or TLS over either. In: an Origin, whose certificates are
// read here, once. Out: sockets that are connecting. Names are looked up anew for each of them.

import { X509Certificate } from 'node:crypto'
import { isIP, type LookupFunction, type OnReadOpts, type Socket } from 'node:net'
import { checkServerIdentity, connect as connectOverTls, createSecureContext } from 'node:tls'
import { ConfigError, messageOf } from '../errors.ts'
import type { Origin, OriginTls } from '../http/gateway.ts'
import { HIGH_WATER_MARK } from './outlet.ts'
import { makePatient, PatientSocket } from './patient-socket.ts'

/** Looks a name up in place of Node. */
export type LookUp = LookupFunction

/** Opens sockets to one origin. */
export interface Connector {
  readonly origin: Origin
  /** what it is called in messages, logs and metrics: Host of all Unix sockets may be the same */
  readonly name: string
  /** the event from which on a socket may carry requests: over TLS, the peer has proved by then who it is */
  readonly ready: 'connect' | 'secureConnect'
  /** whether a socket can be read into a buffer of ours; over TLS its pieces come as 'data' events */
  readonly takesBuffer: boolean
  /** whether a connection can be ended by RST; TLS and Unix sockets have none to send */
  readonly canReset: boolean
  /** A socket that is connecting. @param onread how it is to be read, where {@link takesBuffer} */
  open(onread: OnReadOpts | undefined): Socket
}

/**
 * Prepares to open sockets to `origin`.
 *
 * @param lookUp for plain TCP: Node's own unless set
 * @throws {ConfigError} when a certificate or key of its TLS cannot be read
 */
export function createConnector(origin: Origin, lookUp?: LookUp): Connector {
  return origin.tls === undefined ? plainConnector(origin, lookUp) : secureConnector(origin, origin.tls)
}

/** http and https at one place are two targets: so TLS is told by its scheme, and what has none is plain. */
function nameOf({ socketPath, host, authority, tls }: Origin): string {
  if (socketPath !== undefined) return host
  return tls === undefined ? authority : `https://${authority}`
}

/** Where net.connect and tls.connect find it. */
function placeOf({ host, port, socketPath }: Origin) {
  return socketPath === undefined ? { host, port } : { path: socketPath }
}

function plainConnector(origin: Origin, lookUp: LookUp | undefined): Connector {
  const place = { ...placeOf(origin), ...(lookUp === undefined ? {} : { lookup: lookUp }) }
  return {
    origin,
    name: nameOf(origin),
    ready: 'connect',
    takesBuffer: true,
    canReset: origin.socketPath === undefined,
    open: (onread) =>
      new PatientSocket({
        allowHalfOpen: true,
        // Taken by net.Socket, though its types do not say so.
        ...({ noDelay: true, writableHighWaterMark: HIGH_WATER_MARK } as object),
        ...(onread === undefined ? {} : { onread }),
      }).connect(place),
  }
}

/** TLS of which nothing is left to defaults that an environment variable could change: it always verifies. */
function secureConnector(origin: Origin, settings: OriginTls): Connector {
  const secureContext = secureContextOf(origin, settings)
  const serverName = (settings.serverName ?? origin.host).replace(/\.$/, '') // RFC 6066 §3: without a trailing dot
  /** of the last connection that was verified: it saves the next one a round trip and two signatures */
  let session: Buffer | undefined
  return {
    origin,
    name: nameOf(origin),
    ready: 'secureConnect',
    takesBuffer: false,
    canReset: false,
    open() {
      const socket = connectOverTls({
        ...placeOf(origin),
        ...(session === undefined ? {} : { session }),
        secureContext,
        servername: isIP(serverName) === 0 ? serverName : '', // RFC 6066 §3: no address is ever asked for
        checkServerIdentity: (_asked, certificate) => checkServerIdentity(serverName, certificate),
        rejectUnauthorized: true,
        ALPNProtocols: ['http/1.1'],
        // Documented, though its types do not say so.
        ...({ allowHalfOpen: true, highWaterMark: HIGH_WATER_MARK } as object),
      })
      makePatient(socket)
      socket.on('connect', () => socket.setNoDelay(true))
      // A resumed session is not asked for its name again, so only one whose name was verified may be resumed; in
      // TLS 1.2 it comes before that.
      let latest: Buffer | undefined
      let verified = false
      socket.on('session', (offered) => {
        latest = offered
        if (verified) session = offered
      })
      socket.once('secureConnect', () => {
        verified = true
        session = latest ?? session
      })
      return socket
    },
  }
}

function secureContextOf(origin: Origin, { ca, certificate, key }: OriginTls) {
  try {
    if (ca !== undefined) new X509Certificate(ca) // OpenSSL would pass over what it cannot read, and trust nobody
    return createSecureContext({
      minVersion: 'TLSv1.2',
      ...(ca === undefined ? {} : { ca }), // in place of the authorities that Node comes with
      ...(certificate === undefined ? {} : { cert: certificate }),
      ...(key === undefined ? {} : { key }),
    })
  } catch (thrown) {
    const reason = messageOf(thrown)
    throw new ConfigError([`TLS to ${nameOf(origin)}: ca, certificate or key cannot be read: ${reason}`])
  }
}

/** What an operator can do about an error of a TLS connection, by the code that OpenSSL or Node gives it. */
const ADVICE: readonly (readonly [code: RegExp, advice: string])[] = [
  [/SELF_SIGNED|ISSUER_CERT|VERIFY_LEAF/, 'no known authority vouches for it: name its own in `ca`'],
  [/ALTNAME_INVALID/, 'its certificate is for other names: set one of them as `serverName`'],
  [/CERT_HAS_EXPIRED|CERT_NOT_YET_VALID/, 'its certificate has to be renewed'],
  [
    /ALERT_(CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE)/,
    'it may want a client certificate: set `certificate` and `key`',
  ],
  [
    /ALERT_(UNKNOWN_CA|BAD_CERTIFICATE|CERTIFICATE_UNKNOWN|CERTIFICATE_EXPIRED)/,
    'it does not accept the client certificate',
  ],
  [/NO_APPLICATION_PROTOCOL/, 'it does not speak http/1.1'],
  [/WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG/, 'it may not speak TLS: try http in place of https'],
]

/** What went wrong with a connection, for the log: the error, and what can be done about it where that is known. */
export function describeConnectionError(error: Error): string {
  const code = 'code' in error ? String(error.code) : ''
  const advice = ADVICE.find(([pattern]) => pattern.test(code))?.[1]
  const reason = error.message === '' ? code : error.message // several addresses were tried: it has no message
  return advice === undefined ? reason : `${reason}; ${advice}`
}
