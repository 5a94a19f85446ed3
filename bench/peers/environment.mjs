// What a bench tells a peer, and what a peer tells it.

/** Where to forward to, as `http://host:port`. */
export const upstream = process.env.BENCH_UPSTREAM

/** Says where this peer listens. */
export function announce(port) {
  console.error(`listening  http://127.0.0.1:${port}`)
}

/** ms that an idle client connection stays open: as long as it takes to measure beside many of them. */
export const KEEP_ALIVE = 600_000
