// Passwords. In: a name and what is said to be its password. Out: the account, if it is. It takes as long for names that do
// not exist; it runs on other threads, few at once, and only so many may wait for their turn.

import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto'
import type { PasswordHash, UserConfig } from '../http/authentication.ts'

/** Passwords that are checked at once: half of the threads that Node has for such things, since DNS needs some as well. */
const MOST_RUNNING = 2
/** Passwords that may wait: with a fifth of a second each, none waits longer than a few seconds. */
const MOST_WAITING = 32

/** Octets of a new salt. */
const SALT_OCTETS = 16
const HASH_OCTETS = 32

/** So many at once, so many waiting, and no more. */
export class Turns {
  readonly #waiting: (() => void)[] = []
  #running = 0

  /** @returns undefined at once when there is no room to wait */
  take<T>(work: () => Promise<T>): Promise<T> | undefined {
    if (this.#running < MOST_RUNNING) {
      this.#running++
      return this.#run(work)
    }
    if (this.#waiting.length >= MOST_WAITING) return undefined
    return new Promise<void>((resolve) => this.#waiting.push(resolve)).then(() => this.#run(work))
  }

  async #run<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#running--
      else next() // the place goes on to who has waited longest
    }
  }
}

/** The accounts of a file. */
export class Accounts {
  readonly #users: ReadonlyMap<string, UserConfig>
  readonly #turns: Turns
  /** a password that nobody has, as costly as the others */
  readonly #decoy: PasswordHash

  /** @param turns shared by all who check passwords in this process */
  constructor(users: readonly UserConfig[], turns: Turns) {
    this.#users = new Map(users.map((user) => [user.name, user]))
    this.#turns = turns
    const { cost = 1, blockSize = 1, parallelism = 1 } = users[0]?.password ?? {}
    const random = (octets: number) => randomBytes(octets).toString('base64url')
    this.#decoy = { cost, blockSize, parallelism, salt: random(SALT_OCTETS), hash: random(HASH_OCTETS) }
  }

  find(name: string): UserConfig | undefined {
    return this.#users.get(name)
  }

  /** @returns the account; undefined when name or password is wrong; `busy` when too many are being checked */
  async check(name: string, password: string): Promise<UserConfig | undefined | 'busy'> {
    const user = this.#users.get(name)
    const known = user?.password ?? this.#decoy
    const turn = this.#turns.take(() => derive(password, known))
    if (turn === undefined) return 'busy'
    const matches = timingSafeEqual(await turn, Buffer.from(known.hash, 'base64url'))
    return matches ? user : undefined
  }
}

/** A password as it may be written down: with a salt of its own. */
export async function hashPassword(
  password: string,
  parameters: Pick<PasswordHash, 'cost' | 'blockSize' | 'parallelism'>,
): Promise<PasswordHash> {
  const salted = { ...parameters, salt: randomBytes(SALT_OCTETS).toString('base64url') }
  return { ...salted, hash: (await derive(password, salted)).toString('base64url') }
}

function derive(
  password: string,
  { cost, blockSize, parallelism, salt }: Omit<PasswordHash, 'hash'>,
): Promise<Buffer> {
  const N = 2 ** cost
  const memory = 128 * N * blockSize + 128 * blockSize * parallelism
  const options = { N, r: blockSize, p: parallelism, maxmem: memory + 1024 * 1024 }
  return new Promise((resolve, reject) => {
    scrypt(password.normalize('NFC'), Buffer.from(salt, 'base64url'), HASH_OCTETS, options, (error, key) => {
      if (error === null) resolve(key)
      else reject(error)
    })
  })
}
