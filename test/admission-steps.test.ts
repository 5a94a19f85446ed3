import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type AdmissionStep, composeAdmission, withLimit } from '../src/admission-steps.ts'
import type { Destination } from '../src/exchange.ts'
import type { Identity } from '../src/http/identity.ts'
import type { RequestHead } from '../src/http/request.ts'
import type { RouteMatch } from '../src/http/route-table.ts'
import type { RouteLimit } from '../src/limits/rate-limits.ts'

const test = suite('admission-steps')

// Steps of these tests look at neither.
const HEAD = {} as RequestHead
const MATCH = {} as RouteMatch<Destination>

function named(subject: string): Identity {
  return { subject, claims: {}, scopes: [], roles: [], authenticator: 'test' }
}

function admit(steps: readonly AdmissionStep[], lines: string[] = []) {
  const told = { tellClient: (line: string) => void lines.push(line), tellUpstream: () => undefined }
  return composeAdmission(steps)!(HEAD, '192.0.2.1', MATCH, told)
}

const ann: AdmissionStep = () => named('ann')
const annLater: AdmissionStep = async () => named('ann')
const nobody: AdmissionStep = () => {
  throw new Error('refused')
}

test('who asks for nothing gets no hook, and pays nothing', () => {
  assert.is(composeAdmission([]), undefined)
})

test('steps run in order, each told what those before it have found out', async () => {
  const seen: (string | undefined)[] = []
  const look: AdmissionStep = (_head, _client, _match, identity) => {
    seen.push(identity?.subject)
    return identity
  }
  assert.equal(admit([look, ann, look]), named('ann'))
  assert.equal(await admit([look, annLater, look]), named('ann'))
  assert.equal(seen, [undefined, 'ann', undefined, 'ann'])
})

test('where nothing waits there is no promise', () => {
  assert.not.instance(admit([ann, ann]), Promise)
  assert.instance(admit([ann, annLater, ann]), Promise)
})

test('a step that refuses is the last, whether it throws or rejects', async () => {
  let reached = false
  const after: AdmissionStep = () => {
    reached = true
    return undefined
  }
  assert.throws(() => admit([nobody, after]), 'refused')
  const error = await Promise.resolve(admit([annLater, nobody, after])).catch(
    (thrown: Error) => thrown.message,
  )
  assert.is(error, 'refused')
  assert.is(reached, false)
})

test('what steps tell the client comes in their order', async () => {
  const tell =
    (line: string): AdmissionStep =>
    (_head, _client, _match, identity, told) => {
      told.tellClient(line)
      return identity
    }
  const lines: string[] = []
  await admit([tell('a'), annLater, tell('b')], lines)
  assert.equal(lines, ['a', 'b'])
})

/** A limit that notes who it was asked about. */
function limit(needsIdentity: boolean, seen: (string | undefined)[]): RouteLimit {
  return {
    needsIdentity,
    check: async (_head, _client, _match, identity, told) => {
      seen.push(identity?.subject)
      told.tellClient('limit')
      return identity
    },
  }
}

test('a limit by subject is checked when that is known, any other before anybody is asked', async () => {
  const seen: (string | undefined)[] = []
  const lines: string[] = []
  assert.equal(await admit(withLimit([ann], limit(true, seen)), lines), named('ann'))
  assert.equal(await admit(withLimit([ann], limit(false, seen)), lines), named('ann'))
  assert.equal(seen, ['ann', undefined])
  assert.equal(lines, ['limit', 'limit'])
  assert.equal(withLimit([ann], undefined), [ann])
})

test('who is refused is not counted by a limit by subject, but by any other', async () => {
  const seen: (string | undefined)[] = []
  assert.throws(() => admit(withLimit([nobody], limit(true, seen))), 'refused')
  assert.equal(seen, [])
  const error = await Promise.resolve(admit(withLimit([nobody], limit(false, seen)))).catch(
    (thrown: Error) => thrown.message,
  )
  assert.is(error, 'refused')
  assert.equal(seen, [undefined])
})

test.run()
