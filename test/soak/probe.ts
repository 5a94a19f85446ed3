// Preloaded into a signet process by the tests (`node --import`): measures it from within, after a garbage collection,
// and ends it with its parent. In: 'measure', or 'throw' for an error that nobody catches. Out: a Measure. It touches
// nothing of signet.

/** What a process holds at one moment, right after its garbage was collected. */
export interface Measure {
  /** octets of live objects */
  readonly heap: number
  /** octets held outside the heap: buffers, and the memory of llhttp */
  readonly external: number
  /** octets resident */
  readonly resident: number
  /** what keeps the event loop busy, by kind: timers, sockets, servers */
  readonly resources: Readonly<Record<string, number>>
}

/** There with `--expose-gc`. */
declare const gc: (() => void) | undefined

process.on('message', (order) => {
  if (order === 'throw') {
    setImmediate(() => {
      throw new Error('injected: nobody catches this')
    })
    return
  }
  // Twice, with a turn between: buffers are let go of by finalizers, which run after the first.
  gc?.()
  setImmediate(() => {
    gc?.()
    process.send?.(measure())
  })
})
process.on('disconnect', () => process.exit(1)) // whoever asked is gone: do not outlive the test
process.channel?.unref()

function measure(): Measure {
  const { heapUsed, external, rss } = process.memoryUsage()
  const resources: Record<string, number> = {}
  for (const kind of process.getActiveResourcesInfo()) resources[kind] = (resources[kind] ?? 0) + 1
  return { heap: heapUsed, external, resident: rss, resources }
}
