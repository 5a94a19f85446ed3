// A configuration file as a whole. In: its path and ways to read. Out: what structure.ts makes of the values in it, with
// every problem of its text.

import type { ConfigFile } from '../config.ts'
import { parseConfig } from './document.ts'
import { ELSEWHERE, fileProblem } from './problems.ts'
import type { ReferenceSources } from './references.ts'
import { nothingRead, readStructure, type StructureInput } from './structure.ts'

/** What a configuration file is read with. */
export interface FileInput extends ReferenceSources, StructureInput {}

/**
 * Reads a configuration file. Never throws: what is wrong is among the problems.
 *
 * @param path of the file, as it begins every message
 */
export function readConfigFile(path: string, input: FileInput): ConfigFile {
  let text: string
  try {
    text = input.readFile(path)
  } catch (error) {
    return nothingRead(path, [{ text: `${path}: ${fileProblem(error)}`, offset: ELSEWHERE }])
  }
  const document = parseConfig(path, text)
  if (document.data === undefined) return nothingRead(path, document.problems)
  return readStructure(document, path, input, input)
}
