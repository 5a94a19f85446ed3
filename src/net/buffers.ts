// Where sockets read to and are written from. All of them share one region, which whoever gets a piece must be done with before it returns;
// a socket that fills it whole is lent a large region of its own for as long as it keeps coming that fast.
// Why not one region for all of it: docs/decisions/0002-shared-and-lent-read-buffers.md.

/** A large region that one socket reads into and that a pending write may still refer to. */
export interface Lease {
  readonly octets: Buffer
  /** whether a socket reads into it */
  reading: boolean
  /** how many outlets have writes pending that refer to it */
  writing: number
}

/** Octets of a large region: the more a read brings at once, the less each octet costs (bench/relay). */
const LARGE_REGION = 2 * 1024 * 1024
/** How many there are at most. Past that, sockets go on with the shared region and pieces are copied. */
const LARGE_REGIONS = 8

/** Octets that fit the scratch buffer when it is made: a whole read of the shared region with a head before it. */
const SCRATCH = 128 * 1024

/** The buffers of a proxy. */
export class Buffers {
  /** The region that all sockets read into; it lies in the parser's memory. */
  readonly shared: Buffer
  readonly #leases = new Map<Buffer, Lease>()
  readonly #free: Lease[] = []
  #scratch: Buffer | undefined = undefined

  /** @param shared the parser's region */
  constructor(shared: Buffer) {
    this.shared = shared
  }

  /** Lends a large region to a socket; undefined when all are lent. The most recently used one, since it is warm. */
  lend(): Buffer | undefined {
    let lease = this.#free.pop()
    if (lease === undefined) {
      if (this.#leases.size === LARGE_REGIONS) return undefined
      lease = { octets: Buffer.allocUnsafeSlow(LARGE_REGION), reading: false, writing: 0 }
      this.#leases.set(lease.octets, lease)
    }
    lease.reading = true
    return lease.octets
  }

  /** The socket no longer reads into its large region. */
  giveBack(octets: Buffer): void {
    const lease = this.#leases.get(octets)
    if (lease === undefined) return
    lease.reading = false
    this.#freeIfUnused(lease)
  }

  /** The lease that `octets` is, if it is one: then a write may refer to it instead of copying. */
  leaseOf(octets: Buffer): Lease | undefined {
    return this.#leases.get(octets)
  }

  /** Whether a pending write refers to `octets`. */
  isReferredTo(octets: Buffer): boolean {
    return (this.#leases.get(octets)?.writing ?? 0) > 0
  }

  /** A pending write no longer refers to it. */
  written(lease: Lease): void {
    lease.writing--
    this.#freeIfUnused(lease)
  }

  /** A buffer of at least `length` octets to write from at once; see {@link abandonScratch}. */
  scratch(length: number): Buffer {
    if (this.#scratch === undefined || this.#scratch.length < length) {
      this.#scratch = Buffer.allocUnsafeSlow(Math.max(length, SCRATCH))
    }
    return this.#scratch
  }

  /** The write from the scratch buffer is pending: it is left to that write, and the next one gets another. */
  abandonScratch(): void {
    this.#scratch = undefined
  }

  #freeIfUnused(lease: Lease): void {
    if (!lease.reading && lease.writing === 0) this.#free.push(lease)
  }
}
