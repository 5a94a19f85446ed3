// Parameters of a query or a form, and what they have to look like. In: text from outside. Out: typed requests of the core,
// or what is wrong with them.

import { type Check, type Checked, compileCheck, type Schema, sentenceOf } from '../../service/check.ts'
import { OAuthError } from '../core/errors.ts'

/** Parameters by name. */
export interface Parameters {
  readonly values: Readonly<Record<string, string>>
  /** names that were given more than once, and are not among the values (RFC 6749 §3.1) */
  readonly repeated: readonly string[]
}

/**
 * Reads `application/x-www-form-urlencoded` (RFC 6749 appendix B). A parameter without a value counts as omitted, and one
 * given twice has no value at all: whoever reads the first and whoever reads the last would see different requests.
 */
export function readParameters(text: string): Parameters {
  const values = new Map<string, string>()
  const repeated = new Set<string>()
  for (const [name, value] of new URLSearchParams(text)) {
    if (value === '') continue
    if (values.has(name)) repeated.add(name)
    values.set(name, value)
  }
  for (const name of repeated) values.delete(name)
  return { values: Object.fromEntries(values), repeated: [...repeated] }
}

/** Client and redirection URI: without these there is nobody to answer but the user. */
export interface Destination {
  readonly client_id: string
  readonly redirect_uri: string
}

/** What else an authorization request holds. */
export interface AuthorizationParameters {
  readonly response_type: string
  readonly scope?: string
  readonly code_challenge: string
  readonly code_challenge_method: 'S256'
  readonly login_hint?: string
}

/** A client's name and secret. */
export interface ClientCredentials {
  readonly id: string
  readonly secret: string
}

/** RFC 6749 §4.1.3, RFC 7636 §4.5. */
export interface CodeParameters {
  readonly code: string
  readonly redirect_uri: string
  readonly code_verifier: string
}

/** RFC 6749 appendix A: visible characters and the blank. */
const VSCHAR = '^[ -~]+$'

function text(errorMessage: string, maxLength: number, pattern = VSCHAR): Schema {
  return { type: 'string', errorMessage, maxLength, pattern }
}

/** Others may be there too: unknown parameters are ignored (RFC 6749 §3.1). */
function parameters<T>(
  properties: Record<keyof T & string, Schema>,
  required: (keyof T & string)[],
): Check<T> {
  return compileCheck<T>({ type: 'object', properties, required })
}

const SCOPE = text('scopes of visible characters, 255 at most', 255)
const REDIRECT_URI = text('a URI of 2000 characters at most', 2000)

/** The parameters that come first: see {@link Destination}. */
export const checkDestination = parameters<Destination>(
  { client_id: text('a client id', 255), redirect_uri: REDIRECT_URI },
  ['client_id', 'redirect_uri'],
)

/** What a client wants back with the answer. */
export const checkState = parameters<{ readonly state?: string }>(
  { state: text('visible characters, 1024 at most', 1024) },
  [],
)

/** PKCE is demanded, and `plain` refused, since it protects nothing (RFC 9700 §2.1.1). */
export const checkAuthorization = parameters<AuthorizationParameters>(
  {
    response_type: text('a response type', 64),
    scope: SCOPE,
    code_challenge: text('43 characters of base64url', 43, '^[\\w-]{43}$'),
    code_challenge_method: { enum: ['S256'], errorMessage: 'S256' },
    login_hint: text('a user, 128 characters at most, none of them a control character', 128, '^\\P{C}+$'),
  },
  ['response_type', 'code_challenge', 'code_challenge_method'],
)

/** What a client proves itself with, from a field or from the form. */
export const checkCredentials = parameters<ClientCredentials>(
  { id: text('a client id', 255), secret: text('a client secret', 255) },
  ['id', 'secret'],
)

/** Which of the following checks the rest. */
export const checkGrantType = parameters<{ readonly grant_type: string }>(
  { grant_type: text('a grant type', 64) },
  ['grant_type'],
)

/** Of the grant type authorization_code. */
export const checkCode = parameters<CodeParameters>(
  {
    code: text('a code', 255),
    redirect_uri: REDIRECT_URI,
    code_verifier: text('43 to 128 of A-Z, a-z, 0-9, - . _ ~', 128, '^[\\w.~-]{43,128}$'),
  },
  ['code', 'redirect_uri', 'code_verifier'],
)

/** Of the grant type client_credentials (RFC 6749 §4.4.2). */
export const checkScope = parameters<{ readonly scope?: string }>({ scope: SCOPE }, [])

/** RFC 7662 §2.1; the hint is not needed, as there is one kind of token. */
export const checkIntrospection = parameters<{ readonly token: string }>({ token: text('a token', 8192) }, [
  'token',
])

/** The value, if it fits. @throws {OAuthError} `invalid_request`, with everything that does not */
export function demand<T>(checked: Checked<T>): T {
  if (checked.ok) return checked.value
  throw new OAuthError('invalid_request', checked.misfits.map(sentenceOf).join('; '))
}

/** @throws {OAuthError} `invalid_request` when a parameter was given more than once */
export function demandOnce({ repeated }: Parameters): void {
  if (repeated.length === 0) return
  throw new OAuthError('invalid_request', 'a parameter was given more than once')
}
