// How long pieces of synchronous code take, in CPU time, so that what else the machine does is not counted; the
// collector's threads are. Best of several rounds: what disturbs a measurement only adds to it.

const ROUNDS = 7
const NS_PER_ROUND = 50e6
const BATCH = 500

/** What is measured. What it returns is used, so that nothing can be left out as without effect. */
export type Act = () => number

/** ns per call of `act`. */
export function nsPerCall(act: Act): number {
  return nsPerCallOf([act], ROUNDS, NS_PER_ROUND, BATCH)[0]!
}

/**
 * ns per call of each of `acts`, which take turns, A B C A B C, so that a machine that becomes slower does so for all.
 *
 * @param ns CPU time that each has in a round
 * @param batch calls between two looks at the clock
 */
export function nsPerCallOf(acts: readonly Act[], rounds: number, ns: number, batch: number): number[] {
  const best = acts.map(() => Number.POSITIVE_INFINITY)
  let sum = 0
  for (let round = 0; round < rounds; round++) {
    for (const [which, act] of acts.entries()) {
      const started = process.cpuUsage()
      let calls = 0
      let elapsed = 0
      while (elapsed < ns) {
        for (let call = 0; call < batch; call++) sum += act()
        calls += batch
        const { user, system } = process.cpuUsage(started)
        elapsed = (user + system) * 1000
      }
      best[which] = Math.min(best[which]!, elapsed / calls)
    }
  }
  if (!Number.isFinite(sum)) throw new Error('nothing was measured')
  return best
}
