// Can this certificate be used? In: PEM. Out: what is wrong with it, naming nothing of a key.

import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import { messageOf } from '../errors.ts'

const BLOCK = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

/** A certificate chain or its key, and what is wrong with it. */
export interface CertificateProblem {
  readonly part: 'certificate' | 'key'
  readonly problem: string
}

/**
 * Judges certificates.
 *
 * @param pem one or more, the first of them the one that a key belongs to
 * @returns the problem, or undefined
 */
export function certificateProblem(pem: string): string | undefined {
  const parsed = parseCertificates(pem)
  return typeof parsed === 'string' ? parsed : undefined
}

/** Judges a certificate chain and its key: both can be read, and belong together. */
export function keyPairProblems(chain: string, key: string): readonly CertificateProblem[] {
  const certificates = parseCertificates(chain)
  const privateKey = parseKey(key)
  const problems: CertificateProblem[] = []
  if (typeof certificates === 'string') problems.push({ part: 'certificate', problem: certificates })
  if (typeof privateKey === 'string') problems.push({ part: 'key', problem: privateKey })
  if (typeof certificates === 'string' || typeof privateKey === 'string') return problems
  if (certificates[0]?.checkPrivateKey(privateKey)) return unusable({ cert: chain, key })
  return [{ part: 'key', problem: 'this is not the key of the certificate, which is the first of its file' }]
}

/** What TLS itself says, which asks for more than that they can be read: for keys that are not too short, to begin with. */
function unusable(pair: { readonly cert: string; readonly key: string }): readonly CertificateProblem[] {
  try {
    createSecureContext(pair)
    return []
  } catch (error) {
    return [{ part: 'certificate', problem: `TLS cannot use it: ${messageOf(error)}` }]
  }
}

function parseCertificates(pem: string): readonly X509Certificate[] | string {
  const blocks = pem.match(BLOCK)
  if (blocks === null) return 'there is no certificate in PEM here; to read a file, write file:PATH'
  try {
    return blocks.map((block) => new X509Certificate(block))
  } catch (error) {
    return `a certificate in it cannot be read: ${messageOf(error)}`
  }
}

function parseKey(pem: string): KeyObject | string {
  if (!/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(pem)) {
    return 'there is no private key in PEM here; to read a file, write file:PATH'
  }
  if (/-----BEGIN ENCRYPTED|Proc-Type: 4,ENCRYPTED/.test(pem)) {
    return 'the key is encrypted, and there is nobody to ask for its password: decrypt it (openssl pkey)'
  }
  try {
    return createPrivateKey(pem)
  } catch {
    return 'the private key cannot be read' // what OpenSSL says of it helps nobody
  }
}
