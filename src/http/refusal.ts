// ProxyError → response octets: small, closed about the inside, and the same for every failure (RFC 9457).

import { STATUS_CODES } from 'node:http'
import { FAILURES, type ProxyError } from '../errors.ts'

/**
 * The response that tells a client of a failure: `application/problem+json` with the failure's code and the
 * request's id, and the field lines it asks for. Nothing of the error's message or cause, which may speak of upstreams.
 *
 * @param withBody false for HEAD, which is told the length alone (RFC 9110 §9.3.2)
 * @param lines further field lines, whole
 */
export function writeRefusal(
  error: ProxyError,
  requestId: string,
  date: string,
  close: boolean,
  withBody: boolean,
  lines = '',
): string {
  const { status, title } = FAILURES[error.code]
  const body = `${JSON.stringify({ type: 'about:blank', title, status, code: error.code, requestId })}\n`
  // All of these mean "not now", so a client is told when to come back (RFC 9110 §10.2.3).
  let extra = lines
  if (status === 503 && error.fields?.['Retry-After'] === undefined) extra += 'Retry-After: 1\r\n'
  for (const [name, value] of Object.entries(error.fields ?? {})) extra += `${name}: ${value}\r\n`
  return writeResponse(status, 'application/problem+json', body, date, close, withBody, extra)
}

/** A whole response of signet's own, with fields that every one of them has. `extra` is whole field lines. */
export function writeResponse(
  status: number,
  contentType: string,
  body: string,
  date: string,
  close: boolean,
  withBody: boolean,
  extra = '',
  cacheControl = 'no-store',
): string {
  const octets = Buffer.from(body, 'utf8')
  return (
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\nDate: ${date}\r\nContent-Type: ${contentType}\r\n` +
    `Content-Length: ${octets.length}\r\nCache-Control: ${cacheControl}\r\nX-Content-Type-Options: nosniff\r\n${extra}` +
    `${close ? 'Connection: close\r\n' : ''}\r\n${withBody ? octets.toString('latin1') : ''}`
  )
}
