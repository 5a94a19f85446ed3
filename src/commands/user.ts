// `signet user add`: puts an account into a file of users. In: a file, a name, a role, and a password, which is asked for or
// read from stdin, but never an argument: those are for all to see. Out: the file, with a hash in place of the password.

import { chmod, chown, readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { hashPassword } from '../auth/passwords.ts'
import type { PasswordHash } from '../http/authentication.ts'
import { isRole, isUserName, NEW_PASSWORD, readUserLines, writeUser } from '../http/users.ts'
import type { Output } from './echo.ts'

/** What `signet user` needs from outside. */
export interface UserOptions {
  readonly stdin: NodeJS.ReadableStream & {
    readonly isTTY?: boolean
    setRawMode?(raw: boolean): unknown
  }
  readonly stdout: Output
  readonly stderr: Output
  /** what a password costs: {@link NEW_PASSWORD} unless set */
  readonly cost?: Pick<PasswordHash, 'cost' | 'blockSize' | 'parallelism'>
}

const USAGE = `Usage: signet user add FILE NAME [--role ROLE] [--replace]

Adds an account to a file of users, for authenticators of kind basic and session. The password is asked for, or read from
standard input up to the end of its first line. The file is made, readable for you alone, if it is not there.

  --role ROLE  letters, digits and -_. (default: user)
  --replace    give an account that is there already another password and role
  -h, --help   this text

To remove an account, delete its line.
`

const FLAGS = {
  role: { type: 'string', default: 'user' },
  replace: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const

/** Characters of a password. */
const SHORTEST = 8
const LONGEST = 1024

/** What the command line asked for. */
interface Order {
  readonly file: string
  readonly name: string
  readonly role: string
  readonly replace: boolean
}

/**
 * `signet user`.
 *
 * @param argv arguments after `user`
 * @returns the exit code: 0 when the account is in the file (or for `--help`), 1 with one line on stderr when not, 2 with the
 *   usage for wrong usage
 */
export async function runUser(argv: readonly string[], options: UserOptions): Promise<number> {
  const { stdout, stderr } = options
  const order = readOrder(argv)
  if (order === 'help') {
    stdout.write(USAGE)
    return 0
  }
  if (typeof order === 'string') {
    stderr.write(`signet user: ${order}\n\n${USAGE}`)
    return 2
  }
  try {
    const text = await unlessMissing(readFile(order.file, 'utf8'), '')
    const lines = text.split(/\r?\n/).filter((line) => line !== '')
    if (readUserLines(text).some(({ name }) => name === order.name) && !order.replace)
      throw new Error(`${order.file} has ${order.name} already; --replace gives it another password`)
    const password = await readPassword(options)
    const account = writeUser({
      name: order.name,
      role: order.role,
      password: await hashPassword(password, options.cost ?? NEW_PASSWORD),
    })
    const others = lines.filter((line) => !line.startsWith(`${order.name}:`))
    await writeWhole(order.file, `${[...others, account].join('\n')}\n`)
  } catch (error) {
    stderr.write(`signet user: ${error instanceof Error ? error.message : String(error)}\n`)
    return 1
  }
  stdout.write(`${order.name} (${order.role}) is in ${order.file}\n`)
  return 0
}

/** @returns what was asked for, or what is wrong with it */
function readOrder(argv: readonly string[]): Order | 'help' | (string & {}) {
  let asked: ReturnType<typeof parse>
  try {
    asked = parse(argv)
  } catch (error) {
    return (error as Error).message // parseArgs throws nothing but TypeErrors
  }
  const { help, role, replace } = asked.values
  const [verb, file, name, ...others] = asked.positionals
  if (help) return 'help'
  if (verb !== 'add' || !file || !name || others.length > 0) return 'add, a file and a name are needed'
  if (!isUserName(name)) return 'a name has no colon, no # at its beginning, and nothing that cannot be seen'
  if (!isRole(role)) return 'a role is of letters, digits, - _ and .'
  return { file, name, role, replace }
}

function parse(argv: readonly string[]) {
  return parseArgs({ args: [...argv], options: FLAGS, allowPositionals: true })
}

/**
 * The name is put on a file that is whole: a signet that watches it never sees half of it. Who could read the one before can
 * read this one, and where the name is a link it stays one.
 */
async function writeWhole(name: string, text: string): Promise<void> {
  const file = await unlessMissing(realpath(name), name)
  const before = await unlessMissing(stat(file), undefined)
  const fresh = `${file}.${process.pid}.new`
  try {
    await writeFile(fresh, text, { mode: 0o600, flag: 'wx' })
    if (before !== undefined) {
      await chown(fresh, before.uid, before.gid)
      await chmod(fresh, before.mode & 0o777)
    }
    await rename(fresh, file)
  } catch (error) {
    await rm(fresh, { force: true })
    throw error
  }
}

async function unlessMissing<T, Other>(found: Promise<T>, otherwise: Other): Promise<T | Other> {
  try {
    return await found
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return otherwise
    throw error
  }
}

async function readPassword({ stdin, stdout }: UserOptions): Promise<string> {
  const asks = stdin.isTTY === true
  if (asks) stdout.write('Password: ')
  const password = await firstLine(stdin, asks)
  if (asks) stdout.write('\n')
  if (password.length < SHORTEST || password.length > LONGEST)
    throw new Error(`a password has ${SHORTEST} to ${LONGEST} characters`)
  // RFC 7617 §2. Arrow keys send some, which nobody would know of; and what is no UTF-8 would be another password.
  if (/[\p{Cc}\ufffd]/u.test(password))
    throw new Error('a password is of UTF-8, and has no control characters such as the arrow keys send')
  return password
}

/** What is typed is not shown: a terminal then sends every key by itself. */
async function firstLine(stdin: UserOptions['stdin'], asks: boolean): Promise<string> {
  if (asks) stdin.setRawMode?.(true)
  try {
    const octets: number[] = []
    for await (const piece of stdin) {
      for (const octet of Buffer.from(piece)) {
        if (asks && octet === CTRL_C) throw new Error('no password was given')
        if (octet === LF || octet === CR) return Buffer.from(octets).toString('utf8')
        if (asks && (octet === DELETE || octet === BACKSPACE)) dropCharacter(octets)
        else octets.push(octet)
      }
      if (octets.length > 4 * LONGEST) break
    }
    return Buffer.from(octets).toString('utf8')
  } finally {
    if (asks) stdin.setRawMode?.(false)
  }
}

const CTRL_C = 3
const BACKSPACE = 8
const LF = 10
const CR = 13
const DELETE = 127

/** The last character of UTF-8: all of its octets. */
function dropCharacter(octets: number[]): void {
  while (octets.length > 0 && (octets.pop()! & 0xc0) === 0x80);
}
