// So many at once, so many waiting, and none for ever. In: somebody who wants a place. Out: a place, when it is their turn.

import { ProxyError } from '../errors.ts'

/** Who waits, and may leave meanwhile. */
export interface Guest {
  readonly gone: boolean
}

interface Waiting {
  readonly guest: Guest
  readonly resolve: () => void
  readonly reject: (error: ProxyError) => void
  readonly timer: NodeJS.Timeout
}

/** How many there may be. */
export interface PlacesLimits {
  readonly most: number
  readonly mostWaiting: number
  /** ms that one waits at most */
  readonly patience: number
}

/** Places for what must not be done too often at once. */
export class Places {
  readonly #limits: PlacesLimits
  #taken = 0
  #waiting: Waiting[] = []

  constructor(limits: PlacesLimits) {
    this.#limits = limits
  }

  /** How many wait. */
  get waiting(): number {
    return this.#waiting.length
  }

  /**
   * Does `work` when there is a place for it.
   *
   * @throws {ProxyError} `ERR_CREDENTIAL_LIMIT` when too many wait already, or it takes too long; `ERR_CLIENT_CLOSED` when the
   *   guest has left before it was their turn
   */
  async run<T>(guest: Guest, work: () => Promise<T>): Promise<T> {
    if (this.#taken >= this.#limits.most) await this.#wait(guest)
    else this.#taken++
    try {
      return await work()
    } finally {
      this.#pass()
    }
  }

  #wait(guest: Guest): Promise<void> {
    const { most, mostWaiting, patience } = this.#limits
    if (this.#waiting.length >= mostWaiting) this.#sendAway()
    if (this.#waiting.length >= mostWaiting) {
      const reason = `${most} requests for tokens are under way, and ${mostWaiting} wait`
      return Promise.reject(new ProxyError('ERR_CREDENTIAL_LIMIT', reason))
    }
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting = this.#waiting.filter((one) => one !== waiting)
        reject(new ProxyError('ERR_CREDENTIAL_LIMIT', `waited ${patience} ms for its turn`))
      }, patience)
      timer.unref()
      const waiting = { guest, resolve, reject, timer }
      this.#waiting.push(waiting)
    })
  }

  /** The place goes on to who has waited longest and is still there. */
  #pass(): void {
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      clearTimeout(next.timer)
      if (!next.guest.gone) return next.resolve()
      next.reject(left())
    }
    this.#taken--
  }

  /** Who has left waits for nothing: without this, clients that come and go could fill the queue. */
  #sendAway(): void {
    for (const { guest, timer, reject } of this.#waiting) {
      if (!guest.gone) continue
      clearTimeout(timer)
      reject(left())
    }
    this.#waiting = this.#waiting.filter(({ guest }) => !guest.gone)
  }
}

function left(): ProxyError {
  return new ProxyError('ERR_CLIENT_CLOSED', 'the client left before it was its turn')
}
