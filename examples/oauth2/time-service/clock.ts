// What time it is. In: ms since the epoch. Out: the two answers there are.

/** RFC 3339, in UTC: `2026-01-02T03:04:05.678Z`. */
export function currentTime(now: number): { readonly current_time: string } {
  return { current_time: new Date(now).toISOString() }
}

/** Whole seconds since the epoch. */
export function epochTime(now: number): { readonly epoch_time: number } {
  return { epoch_time: Math.floor(now / 1000) }
}
