// Look-ups of names that clients choose. In: names. Out: what Node finds for them, few at a time: each takes one of the four
// threads of libuv for as long as its name server takes, and the names of upstreams are looked up on the same threads.

import { type LookupAddress, type LookupAllOptions, lookup } from 'node:dns'
import { ProxyError } from '../errors.ts'

/** Told what a name was found to be. */
export type OnFound = (error: NodeJS.ErrnoException | null, found: LookupAddress[]) => void

/** Looks a name up, as Node does. */
export type LookUpAll = (hostname: string, options: LookupAllOptions, callback: OnFound) => void

/** How much of it there may be. */
export interface LookUpLimits {
  /** look-ups at a time */
  readonly atOnce: number
  /** names that wait for one of them */
  readonly waiting: number
  /** ms that a name waits */
  readonly timeout: number
}

/** Half of libuv's threads are left to others; and nobody is connected to 5 s after it was asked for. */
const LIMITS: LookUpLimits = { atOnce: 2, waiting: 64, timeout: 5000 }

/** Looks names up, a few at a time. */
export class LookUps {
  readonly #lookUp: LookUpAll
  readonly #limits: LookUpLimits
  #underWay = 0
  /** the one that came first, first; each begins when it is called */
  readonly #waiting = new Set<() => void>()

  /** @param lookUp Node's own unless set */
  constructor(lookUp: LookUpAll = lookup, limits: LookUpLimits = LIMITS) {
    this.#lookUp = lookUp
    this.#limits = limits
  }

  /** Looks `hostname` up, or tells the refusal: `ERR_POOL_FULL` at once, `ERR_CONNECT_TIMEOUT` when its turn has not come. */
  find(hostname: string, options: LookupAllOptions, onFound: OnFound): void {
    if (this.#underWay < this.#limits.atOnce) {
      this.#begin(hostname, options, onFound)
      return
    }
    if (this.#waiting.size >= this.#limits.waiting) {
      const error = new ProxyError('ERR_POOL_FULL', `${hostname}: too many names are being looked up`)
      setImmediate(() => onFound(error, []))
      return
    }
    const begin = () => {
      clearTimeout(timer)
      this.#begin(hostname, options, onFound)
    }
    const timer = setTimeout(() => {
      this.#waiting.delete(begin)
      onFound(new ProxyError('ERR_CONNECT_TIMEOUT', `${hostname} could not be looked up in time`), [])
    }, this.#limits.timeout).unref()
    this.#waiting.add(begin)
  }

  #begin(hostname: string, options: LookupAllOptions, onFound: OnFound): void {
    this.#underWay++
    this.#lookUp(hostname, options, (error, found) => {
      this.#underWay--
      for (const begin of this.#waiting) {
        this.#waiting.delete(begin)
        begin()
        break
      }
      onFound(error, found)
    })
  }
}
