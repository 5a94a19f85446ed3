// Certificates made for one test, and good for nothing else.

import { generate } from 'selfsigned'
import type { Certificate } from '../../src/http/gateway.ts'

/** What is in a certificate beside its key. */
export interface CertificateOptions {
  /** who vouches for it; itself unless given */
  readonly authority?: Certificate
  /** DNS names and IPv4 addresses it is for */
  readonly names?: readonly string[]
  /** may vouch for others */
  readonly isAuthority?: boolean
  readonly notBefore?: Date
  readonly notAfter?: Date
}

const HOUR = 3_600_000

/** Makes a certificate and its key: from an hour ago to an hour from now unless told otherwise. */
export async function makeCertificate(options: CertificateOptions): Promise<Certificate> {
  const { authority, names = [], isAuthority = false } = options
  const altNames = names.map((name) =>
    /^[\d.]+$/.test(name) ? { type: 7 as const, ip: name } : { type: 2 as const, value: name },
  )
  const usage = { digitalSignature: true, ...(isAuthority ? { keyCertSign: true, cRLSign: true } : {}) }
  const made = await generate([{ name: 'commonName', value: names[0] ?? 'signet test' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    notBeforeDate: options.notBefore ?? new Date(Date.now() - HOUR),
    notAfterDate: options.notAfter ?? new Date(Date.now() + HOUR),
    extensions: [
      { name: 'basicConstraints', cA: isAuthority, critical: true },
      { name: 'keyUsage', ...usage, critical: true },
      ...(altNames.length === 0 ? [] : [{ name: 'subjectAltName' as const, altNames }]),
    ],
    ...(authority === undefined ? {} : { ca: { key: authority.key, cert: authority.certificate } }),
  })
  return { certificate: made.cert, key: made.private }
}
