import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  type AdmissionStep,
  composeAdmission,
  withCredential,
  withLimit,
  withoutAuthorization,
} from '../src/admission-steps.ts'
import type { TokenSource } from '../src/credentials/credential.ts'
import { ProxyError } from '../src/errors.ts'
import type { Destination } from '../src/destination.ts'
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
  const told = {
    trace: undefined,
    gone: false,
    tellClient: (line: string) => void lines.push(line),
    tellUpstream: (line: string) => void lines.push(`upstream: ${line}`),
  }
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

/** A source that gives, or throws, what it is told to, and notes who it was asked for. */
function source(give: () => string | Promise<string>, asked: (string | undefined)[] = []): TokenSource {
  return {
    credential: 'api',
    authorize(subject) {
      asked.push(subject)
      return give()
    },
    onUnauthorized: () => undefined,
  }
}

test('a credential comes last, for who was let in; a token that is there costs no promise', async () => {
  const lines: string[] = []
  const asked: (string | undefined)[] = []
  const results: string[] = []
  const note = (credential: string, result: string) => void results.push(`${credential} ${result}`)
  const at = (give: () => string | Promise<string>) => withCredential([ann], source(give, asked), note)
  assert.equal(
    admit(
      at(() => 'now'),
      lines,
    ),
    named('ann'),
  )
  assert.equal(
    await admit(
      at(async () => 'later'),
      lines,
    ),
    named('ann'),
  )
  assert.equal(lines, ['upstream: now', 'upstream: later'])
  assert.equal(asked, ['ann', 'ann'])
  assert.equal(results, ['api cached', 'api success'])
  assert.throws(
    () =>
      admit(
        withCredential(
          [nobody],
          source(() => 'x', asked),
          note,
        ),
      ),
    'refused',
  )
  assert.is(asked.length, 2)
  assert.equal(withCredential([ann], undefined, note), [ann])
})

test('a credential that is not to be had is counted as what it is, thrown or rejected; any other fault is not', async () => {
  const results: string[] = []
  const fails = async (give: () => string | Promise<string>): Promise<unknown> => {
    const steps = withCredential([], source(give), (_credential, result) => void results.push(result))
    try {
      return await admit(steps)
    } catch (thrown) {
      return thrown
    }
  }
  const denied = new ProxyError('ERR_CREDENTIAL_DENIED', 'no')
  const left = new ProxyError('ERR_CLIENT_CLOSED', 'gone')
  for (const error of [denied, left, new Error('a fault')]) {
    assert.is(await fails(() => Promise.reject(error)), error)
    assert.is(
      await fails(() => {
        throw error
      }),
      error,
    )
  }
  assert.equal(results, ['denied', 'denied'])
})

test('Authorization is withheld beside what is anyway, and where nobody was asked', () => {
  const replaced = 'authorization'
  const key = new Map([['partners', { names: new Set(['x-api-key']), checked: 'x-api-key' }]])
  assert.equal(withoutAuthorization(key).get('partners'), {
    names: new Set(['x-api-key', 'authorization']),
    checked: 'x-api-key',
    replaced,
  })
  const token = new Map([['partners', { names: new Set(['authorization']), checked: 'authorization' }]])
  const authorization = { names: new Set(['authorization']), checked: undefined, replaced }
  assert.equal(withoutAuthorization(token).get('partners'), authorization)
  assert.equal(withoutAuthorization(key).get(''), authorization)
  assert.equal(withoutAuthorization(undefined), new Map([['', authorization]]))
})

test.run()
