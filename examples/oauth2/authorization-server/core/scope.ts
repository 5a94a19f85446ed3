// What may be granted: a scope is one endpoint of the time service. In: the scope asked for. Out: the same, or a refusal.

import { OAuthError } from './errors.ts'

/** Every scope there is. */
export const SCOPES = ['current_time', 'epoch_time'] as const
/** One of {@link SCOPES}. */
export type Scope = (typeof SCOPES)[number]

/**
 * The scope to grant, which is always granted if it is one of the two. Not narrowed to what is known of it (RFC 6749 §3.3
 * would allow that): whoever asks for more than there is has made a mistake that they should see.
 *
 * @param asked undefined when none was asked for; there is no default
 * @throws {OAuthError} `invalid_scope`: none, unknown, known beside unknown, or more than one
 */
export function grantedScope(asked: string | undefined): Scope {
  const found = SCOPES.find((scope) => scope === asked)
  if (found !== undefined) return found
  const choices = SCOPES.join(' or ')
  throw new OAuthError('invalid_scope', `a token is for one endpoint: the scope has to be ${choices}`)
}
