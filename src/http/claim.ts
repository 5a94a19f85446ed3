// One value among claims. In: the claims of a caller, a name. Out: the value; as text, where it is one.

/**
 * The claim of this name; or else what a path of names leads to: `payload.user`. Nothing inherited is a claim.
 *
 * @returns undefined where there is none
 */
export function claimAt(claims: Readonly<Record<string, unknown>>, path: string): unknown {
  if (Object.hasOwn(claims, path)) return claims[path] // names may have dots of their own: https://a.test/roles
  let at: unknown = claims
  for (const name of path.split('.')) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, name)) return undefined
    at = (at as Record<string, unknown>)[name]
  }
  return at
}

/** A value that can be compared with text: text itself, and a whole number as it is written; undefined for any other. */
export function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value
  return Number.isSafeInteger(value) ? String(value) : undefined
}
