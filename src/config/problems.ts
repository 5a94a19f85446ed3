// How a problem of the configuration says where it is. In: the keys that lead to a value, and what was found there. Out:
// text that an operator can act on, without what may be a password.

import { messageOf } from '../errors.ts'

/** The keys and indices that lead from the root of the configuration file to a value. */
export type Path = readonly (string | number)[]

/** Where something stands. */
export interface Place {
  /** as a message begins: `signet.yaml:12:7 routes[2].upstream` */
  readonly label: string
  /** characters before it in the configuration file; what does not stand there comes last */
  readonly offset: number
}

/** One problem; the offset puts it in order. */
export interface Problem {
  readonly text: string
  readonly offset: number
}

/** Offset of a {@link Problem} that is not in the configuration file. */
export const ELSEWHERE = Number.POSITIVE_INFINITY

/** The texts, in the order of the file, those from elsewhere last. */
export function inOrder(problems: readonly Problem[]): string[] {
  // Not by subtraction: Infinity - Infinity is NaN.
  const sorted = [...problems].sort((a, b) => (a.offset === b.offset ? 0 : a.offset < b.offset ? -1 : 1))
  return [...new Set(sorted.map(({ text }) => text))]
}

/** A path as text: `routes[2].upstream`; empty for the root. */
export function showPath(path: Path): string {
  const shown = path.map((key) => {
    if (typeof key === 'number') return `[${key}]`
    return /^[\w-]{1,64}$/.test(key) ? `.${key}` : `[${JSON.stringify(shorten(key))}]`
  })
  return shown.join('').replace(/^\./, '')
}

/** A raw value for a message; what stands before an `@` may be a password. */
export function quote(raw: string): string {
  return JSON.stringify(mask(raw))
}

/** The same of a text that may be endless. */
export function quoteBriefly(raw: string): string {
  return JSON.stringify(shorten(mask(raw))) // masked first: what is cut off may be the @
}

function mask(raw: string): string {
  return raw.replace(/^.*@/s, '***@')
}

function shorten(text: string): string {
  return text.length > 80 ? `${text.slice(0, 79)}…` : text
}

/** Why a file cannot be read; without its path, which may by mistake be the secret itself. */
export function fileProblem(error: unknown): string {
  const code = (error as NodeJS.ErrnoException | null)?.code
  switch (code) {
    case 'ENOENT':
      return 'there is no such file'
    case 'EACCES':
      return 'it may not be read by this user'
    case 'EISDIR':
      return 'it is a folder'
    default:
      return code ?? messageOf(error)
  }
}
