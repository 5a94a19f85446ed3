// Every way an exchange can fail, as one table, and the one error class that crosses a file boundary.
// In: a code, a message for the log, the original error. Out: the status and the side, from the table.

/** The side that can mend a failure: the client, signet's operator, or the upstream. */
export type Side = 'downstream' | 'signet' | 'upstream'

/**
 * Every way an exchange can fail: the status sent downstream, the side that can fix it, and the sentence the
 * client is shown. A status below 400 is never sent; 499 is only logged, since nobody is left to read it.
 */
export const FAILURES = {
  ERR_HEAD_MALFORMED: { status: 400, side: 'downstream', title: 'The request head is malformed.' },
  ERR_TARGET_MALFORMED: { status: 400, side: 'downstream', title: 'The request-target is malformed.' },
  ERR_HOST_INVALID: { status: 400, side: 'downstream', title: 'Exactly one valid Host field is required.' },
  ERR_FRAMING_AMBIGUOUS: { status: 400, side: 'downstream', title: 'The length of the body is ambiguous.' },
  ERR_BODY_MALFORMED: { status: 400, side: 'downstream', title: 'The chunked body is malformed.' },
  ERR_PATH_AMBIGUOUS: { status: 400, side: 'downstream', title: 'The path has more than one reading.' },
  ERR_LOGIN_MALFORMED: { status: 400, side: 'downstream', title: 'Username and password are required.' },
  ERR_UNAUTHENTICATED: { status: 401, side: 'downstream', title: 'Credentials are required.' },
  ERR_CREDENTIALS_INVALID: { status: 401, side: 'downstream', title: 'The credentials are invalid.' },
  ERR_TOKEN_EXPIRED: { status: 401, side: 'downstream', title: 'The token has expired.' },
  ERR_LOGIN_REFUSED: { status: 401, side: 'downstream', title: 'Invalid username or password.' },
  ERR_FORBIDDEN: { status: 403, side: 'downstream', title: 'The caller may not do this.' },
  ERR_SCOPE_INSUFFICIENT: { status: 403, side: 'downstream', title: 'The token has not the scope for this.' },
  ERR_CREDENTIAL_DENIED: {
    status: 403,
    side: 'downstream',
    title: 'The authorization server grants no token for this.',
  },
  ERR_DESTINATION_FORBIDDEN: {
    status: 403,
    side: 'downstream',
    title: 'This destination is not on the list.',
  },
  ERR_NO_ROUTE: { status: 404, side: 'downstream', title: 'Nothing is served at this host and path.' },
  ERR_METHOD_NOT_ALLOWED: {
    status: 405,
    side: 'downstream',
    title: 'This method is not allowed at this host and path.',
  },
  ERR_HEAD_TIMEOUT: { status: 408, side: 'downstream', title: 'The request head took too long.' },
  ERR_BODY_TIMEOUT: { status: 408, side: 'downstream', title: 'The request body took too long.' },
  ERR_BODY_TOO_LARGE: { status: 413, side: 'downstream', title: 'The body is too large.' },
  ERR_TARGET_TOO_LONG: { status: 414, side: 'downstream', title: 'The request-target is too long.' },
  ERR_EXPECTATION_UNKNOWN: { status: 417, side: 'downstream', title: 'This expectation is not known here.' },
  ERR_MISDIRECTED: { status: 421, side: 'downstream', title: 'This scheme is not served here.' },
  ERR_ATTEMPTS_LIMITED: { status: 429, side: 'downstream', title: 'Too many failed attempts.' },
  ERR_HEAD_TOO_LARGE: { status: 431, side: 'downstream', title: 'The request head is too large.' },
  ERR_TOO_MANY_FIELDS: { status: 431, side: 'downstream', title: 'The request has too many field lines.' },
  ERR_LIMIT_EXCEEDED: { status: 429, side: 'downstream', title: 'These were too many requests.' },
  ERR_CLIENT_CLOSED: { status: 499, side: 'downstream', title: 'The client closed the connection.' },
  ERR_CLIENT_STALLED: { status: 499, side: 'downstream', title: 'The client stopped reading the response.' },
  ERR_METHOD_UNKNOWN: { status: 501, side: 'downstream', title: 'This method is not known here.' },
  ERR_CONNECT_UNSUPPORTED: { status: 501, side: 'downstream', title: 'CONNECT is not supported.' },
  ERR_CODING_UNKNOWN: { status: 501, side: 'downstream', title: 'This transfer coding is not known here.' },
  ERR_VERSION_UNSUPPORTED: {
    status: 505,
    side: 'downstream',
    title: 'Only HTTP/1.0 and HTTP/1.1 are spoken here.',
  },
  ERR_LOOP: { status: 508, side: 'downstream', title: 'The request has already been through this proxy.' },

  ERR_INTERNAL: { status: 500, side: 'signet', title: 'The proxy failed.' },
  ERR_MIDDLEWARE: { status: 500, side: 'signet', title: 'The proxy failed.' },
  ERR_MIDDLEWARE_TIMEOUT: { status: 504, side: 'signet', title: 'The proxy did not get on in time.' },
  ERR_POOL_FULL: { status: 503, side: 'signet', title: 'The upstream is at its limit.' },
  ERR_POOL_TIMEOUT: {
    status: 503,
    side: 'signet',
    title: 'No connection to the upstream came free in time.',
  },
  ERR_AUTHENTICATION_UNAVAILABLE: {
    status: 503,
    side: 'signet',
    title: 'It cannot be found out now who is asking.',
  },
  ERR_LIMIT_UNKNOWN: {
    status: 503,
    side: 'signet',
    title: 'Requests cannot be counted at present.',
  },
  ERR_CREDENTIAL_LIMIT: {
    status: 503,
    side: 'signet',
    title: 'Too many requests wait for a token for the upstream.',
  },
  ERR_CREDENTIAL_REFUSED: {
    status: 502,
    side: 'signet',
    title: 'The authorization server does not accept the proxy.',
  },
  ERR_DRAINED: { status: 503, side: 'signet', title: 'The proxy is shutting down.' },

  ERR_UPSTREAM_UNREACHABLE: { status: 502, side: 'upstream', title: 'The upstream cannot be reached.' },
  ERR_UPSTREAM_CLOSED: { status: 502, side: 'upstream', title: 'The upstream closed before it answered.' },
  ERR_RESPONSE_MALFORMED: {
    status: 502,
    side: 'upstream',
    title: 'The response of the upstream is malformed.',
  },
  ERR_RESPONSE_AMBIGUOUS: {
    status: 502,
    side: 'upstream',
    title: 'The response of the upstream is ambiguous.',
  },
  ERR_RESPONSE_TOO_LARGE: {
    status: 502,
    side: 'upstream',
    title: 'The response head of the upstream is too large.',
  },
  ERR_CREDENTIAL_MALFORMED: {
    status: 502,
    side: 'upstream',
    title: 'The answer of the authorization server is malformed.',
  },
  ERR_CREDENTIAL_UNAVAILABLE: {
    status: 503,
    side: 'upstream',
    title: 'The authorization server has no token at present.',
  },
  ERR_CREDENTIAL_TIMEOUT: {
    status: 504,
    side: 'upstream',
    title: 'The authorization server did not answer in time.',
  },
  ERR_RESPONSE_CUT_SHORT: {
    status: 502,
    side: 'upstream',
    title: 'The response of the upstream was cut short.',
  },
  ERR_CONNECT_TIMEOUT: { status: 504, side: 'upstream', title: 'The upstream did not accept in time.' },
  ERR_RESPONSE_TIMEOUT: { status: 504, side: 'upstream', title: 'The upstream did not answer in time.' },
  ERR_RESPONSE_STALLED: { status: 504, side: 'upstream', title: 'The response of the upstream stalled.' },
} as const satisfies Record<`ERR_${string}`, { status: number; side: Side; title: string }>

/** The name of a failure: the key of its row in {@link FAILURES}. */
export type FailureCode = keyof typeof FAILURES

/**
 * What a refusal says in field lines of its own: Allow, which a 405 cannot be without (RFC 9110 §15.5.6), WWW-Authenticate, the
 * same of a 401 (§15.5.2), and Retry-After (§10.2.3).
 */
export type RefusalFields = Readonly<Partial<Record<'Allow' | 'WWW-Authenticate' | 'Retry-After', string>>>

/**
 * A failed exchange, on its way to the one place that answers it (`net/downstream.ts`).
 * `message` and `cause` are for the log alone; a client is told the status, the title and the code.
 */
export class ProxyError extends Error {
  readonly code: FailureCode
  readonly fields: RefusalFields | undefined

  /** @param options.fields shown to the client: no octets of a stranger's may be in their values */
  constructor(code: FailureCode, message: string, options?: { cause?: unknown; fields?: RefusalFields }) {
    super(message, options)
    this.name = 'ProxyError'
    this.code = code
    this.fields = options?.fields
  }

  /** The status a client is answered with (RFC 9110 §15). */
  get status(): number {
    return FAILURES[this.code].status
  }

  /** The side that can mend it. */
  get side(): Side {
    return FAILURES[this.code].side
  }
}

/** Told of what was thrown and nobody foresaw: a fault of signet's own. Must not throw. */
export type OnFault = (thrown: unknown) => void

/**
 * Narrows what was caught to a {@link ProxyError}. Anything unforeseen becomes `ERR_INTERNAL` with its cause; this is
 * the one place where that happens, so that no fault passes unseen.
 */
export function asProxyError(error: unknown, onFault: OnFault): ProxyError {
  if (error instanceof ProxyError) return error
  onFault(error)
  return new ProxyError('ERR_INTERNAL', messageOf(error), {
    cause: error,
  })
}

/**
 * Something the operator has to mend before signet can run: a setting, a key. Exit code 78 (EX_CONFIG).
 * All problems found are reported together.
 */
export class ConfigError extends Error {
  readonly problems: readonly string[]
  /** paths of files that were read, or were to be: a change of one of them may mend it */
  readonly files: readonly string[]

  constructor(problems: readonly string[], files: readonly string[] = []) {
    super(problems.join('\n'))
    this.name = 'ConfigError'
    this.problems = problems
    this.files = files
  }
}

/** What something that was thrown says, be it an Error or not. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown)
}
