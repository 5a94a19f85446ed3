// What those who read the structural part of a configuration file have in common: values that may be missing, and a way to
// say what is wrong with the others.

import type { Path } from './problems.ts'

/** Told of what is wrong, and where: about a key, or about a value that is to be shown before the reason. */
export type Complain = (path: Path, reason: string, about?: 'key' | 'value') => void

/** A value of the file: undefined where it has not been given, or does not fit the schema. */
export type Given<T> = { readonly [Key in keyof T]?: Given<T[Key]> | undefined }
