// The groups of the suite, in order: what each of them proves, and how it is run.

import { requestLine } from './group-1-request-line.ts'
import { fieldLines } from './group-2-field-lines.ts'
import { framing } from './group-3-framing.ts'
import { identity } from './group-4-identity.ts'
import { responses } from './group-5-responses.ts'
import { type GroupResult, runGroup } from './run-group.ts'
import { runResponses } from './run-responses.ts'

/** A group as `npm run conformance` and the tests see it. */
export interface RunnableGroup {
  readonly name: string
  /** what holds when every case has passed */
  readonly promise: string
  readonly run: () => Promise<GroupResult>
}

/** Groups 1 to 5. */
export const GROUPS: readonly RunnableGroup[] = [
  {
    name: requestLine.name,
    promise: 'a request line has one reading, or is refused (RFC 9112 §3)',
    run: () => runGroup(requestLine),
  },
  {
    name: fieldLines.name,
    promise: 'a field line has one reading, or is refused (RFC 9112 §5)',
    run: () => runGroup(fieldLines),
  },
  {
    name: framing.name,
    promise: 'where a request ends is never in doubt (RFC 9112 §6, §7)',
    run: () => runGroup(framing),
  },
  {
    name: identity.name,
    promise: 'hop-by-hop fields stop here, and only signet asserts identity (RFC 9110 §7.6.1)',
    run: () => runGroup(identity),
  },
  {
    name: responses.name,
    promise:
      'a response is relayed with its one meaning, answered 502 or visibly cut short (RFC 9112 §6.3, §8)',
    run: () => runResponses(responses),
  },
]

/** A group that is made of test files. */
export interface TestedGroup {
  readonly name: string
  readonly promise: string
  /** what the paths of its files have in them, and no others */
  readonly files: string
}

/** Groups 6 and 7. */
export const TESTED_GROUPS: readonly TestedGroup[] = [
  {
    name: '6 time and order',
    promise: 'slow, early, late and leaving peers cost nobody else anything, and nothing is sent twice',
    files: 'conformance/time-',
  },
  {
    name: '7 differential',
    promise: 'signet and the strict parser agree on requests that nobody wrote down',
    files: 'conformance/differential.',
  },
]
