// The file of users. In: its text, a line `name:role:$scrypt$ln=15,r=8,p=3$salt$hash` each. Out: accounts; and a line of an
// account for whoever adds one. Salt and hash are base64url.

import type { PasswordHash, UserConfig } from './authentication.ts'

/** log2 of scrypt's cost, its block size and parallelism for new passwords: 32 MiB, a fifth of a second. */
export const NEW_PASSWORD = { cost: 15, blockSize: 8, parallelism: 3 } as const

/** The most memory that one password may take, in octets: 128 · N · r (RFC 7914 §2). */
const MOST_MEMORY = 128 * 1024 * 1024
const MOST_PARALLELISM = 8
const MOST_USERS = 10_000

const HASH = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([\w-]{22,86})\$([\w-]{43})$/

/** What a name may be: no colon, which ends it here and in Basic (RFC 7617 §2), nothing that cannot be seen. */
export function isUserName(name: string): boolean {
  return /^[^\p{C}:\s#][^\p{C}:]{0,254}$/u.test(name) && !name.endsWith(' ')
}

/** What a role may be: one word. */
export function isRole(role: string): boolean {
  return /^[\w.-]{1,64}$/.test(role)
}

/**
 * Reads a file of users. Empty lines and those that begin with `#` mean nothing.
 *
 * @throws {Error} what is wrong with which line; nothing of a hash is in it
 */
export function readUsers(text: string): UserConfig[] {
  const users = readUserLines(text)
  if (users.length === 0) throw new Error('there is no user in it: signet user add FILE NAME adds one')
  return users
}

/** The same of a file that has no user yet. */
export function readUserLines(text: string): UserConfig[] {
  const users = new Map<string, UserConfig>()
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue
    const wrong = (problem: string) => new Error(`line ${index + 1} ${problem}`)
    const [name = '', role = '', ...rest] = line.split(':')
    if (!isUserName(name)) throw wrong('does not begin with a name and a colon')
    if (!isRole(role)) throw wrong('has no role of letters, digits, - _ and . behind the name')
    const password = readHash(rest.join(':').trimEnd())
    if (password === undefined) throw wrong('has no password as signet user add writes it')
    if (users.has(name)) throw wrong('has a name that stands above already')
    users.set(name, { name, role, password })
    if (users.size > MOST_USERS) throw wrong(`is one too many: there may be ${MOST_USERS} users`)
  }
  return [...users.values()]
}

/** The line of an account. */
export function writeUser({ name, role, password }: UserConfig): string {
  const { cost, blockSize, parallelism, salt, hash } = password
  return `${name}:${role}:$scrypt$ln=${cost},r=${blockSize},p=${parallelism}$${salt}$${hash}`
}

function readHash(text: string): PasswordHash | undefined {
  const match = HASH.exec(text)
  if (match === null) return undefined
  const [cost = 0, blockSize = 0, parallelism = 0] = match.slice(1, 4).map(Number)
  const fits =
    cost >= 1 &&
    blockSize >= 1 &&
    parallelism >= 1 &&
    parallelism <= MOST_PARALLELISM &&
    cost < 16 * blockSize && // RFC 7914 §2: or scrypt itself refuses
    128 * 2 ** cost * blockSize <= MOST_MEMORY
  const [salt = '', hash = ''] = match.slice(4)
  return fits ? { cost, blockSize, parallelism, salt, hash } : undefined
}
