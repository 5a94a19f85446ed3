import type { LookupAddress } from 'node:dns'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ProxyError } from '../../src/errors.ts'
import { Destinations } from '../../src/net/destinations.ts'
import { within } from '../support/wire.ts'

const test = suite('net/destinations')

const LIST = {
  allow: [
    { host: 'api.test', ports: [80, 443] },
    { host: '*.sub.test', ports: [8443] },
    { host: '192.0.2.1', ports: [80] },
    { host: '2001:4860::1', ports: [80] },
    { host: '2606:4700:0:0:0:0:0:AB', ports: [80] },
    { host: '::FFFF:93.184.216.34', ports: [80] },
    { host: '10.0.0.1', ports: [80] },
    { host: '10.1.0.1', ports: [80] },
    { host: 'localhost', ports: [80] },
  ],
  privateAddresses: ['10.1.0.0/16'],
}

/** `host port authority`, or the failure. */
function outcome(list: ConstructorParameters<typeof Destinations>[0], authority: string, port = 80): string {
  try {
    const origin = new Destinations(list).find(authority, port)
    return `${origin.host} ${origin.port} ${origin.authority}`
  } catch (error) {
    assert.instance(error, ProxyError)
    return (error as ProxyError).code
  }
}

for (const [authority, expected] of [
  ['api.test', 'api.test 80 api.test'],
  ['API.Test:80', 'api.test 80 api.test'],
  ['api.test.', 'api.test 80 api.test'],
  ['api.test:443', 'api.test 443 api.test:443'],
  ['api.test:8080', 'ERR_DESTINATION_FORBIDDEN'],
  ['a.sub.test:8443', 'a.sub.test 8443 a.sub.test:8443'],
  ['b.a.sub.test:8443', 'b.a.sub.test 8443 b.a.sub.test:8443'],
  ['sub.test:8443', 'ERR_DESTINATION_FORBIDDEN'],
  ['.sub.test:8443', 'ERR_DESTINATION_FORBIDDEN'],
  ['asub.test:8443', 'ERR_DESTINATION_FORBIDDEN'],
  ['a.sub.test', 'ERR_DESTINATION_FORBIDDEN'],
  ['evil.test', 'ERR_DESTINATION_FORBIDDEN'],
  ['api.test.evil.test', 'ERR_DESTINATION_FORBIDDEN'],
  // addresses: on the list, and public or listed as private
  ['[2001:4860::1]', '2001:4860::1 80 [2001:4860::1]'],
  // and the same in any spelling, on the list and in the request
  ['[2001:4860:0:0:0:0:0:1]', '2001:4860::1 80 [2001:4860::1]'],
  ['[2001:4860:0::0001]', '2001:4860::1 80 [2001:4860::1]'],
  ['[2606:4700::ab]', '2606:4700::ab 80 [2606:4700::ab]'],
  ['[2606:4700::AB]', '2606:4700::ab 80 [2606:4700::ab]'],
  ['[2606:4700::abc]', 'ERR_DESTINATION_FORBIDDEN'],
  ['93.184.216.34', '93.184.216.34 80 93.184.216.34'],
  ['[::ffff:5db8:d822]', '93.184.216.34 80 93.184.216.34'],
  ['10.0.0.1', 'ERR_DESTINATION_FORBIDDEN'],
  ['10.1.0.1', '10.1.0.1 80 10.1.0.1'],
  ['192.0.2.1', 'ERR_DESTINATION_FORBIDDEN'], // for documentation: nobody has it
] as const) {
  test(`${authority} is ${expected}`, () => assert.is(outcome(LIST, authority), expected))
}

test('an empty list allows nothing', () => {
  for (const authority of ['api.test', 'localhost', '127.0.0.1', '[::1]', '93.184.216.34'])
    assert.is(
      outcome({ allow: [], privateAddresses: ['0.0.0.0/0', '::/0'] }, authority),
      'ERR_DESTINATION_FORBIDDEN',
    )
})

const lookUp = (list: ConstructorParameters<typeof Destinations>[0], all: boolean) =>
  within(
    new Promise<string | LookupAddress[]>((resolve, reject) =>
      new Destinations(list).lookup('localhost', { all }, (error, address) =>
        error === null ? resolve(address) : reject(error),
      ),
    ),
    'an answer',
  )

for (const all of [true, false]) {
  test(`a look-up gives no address that must not be connected to (${all ? 'all' : 'one'})`, async () => {
    try {
      await lookUp(LIST, all)
      assert.unreachable('localhost was given')
    } catch (error) {
      assert.instance(error, ProxyError)
      assert.is((error as ProxyError).code, 'ERR_DESTINATION_FORBIDDEN')
    }
    const given = await lookUp({ ...LIST, privateAddresses: ['127.0.0.1'] }, all)
    assert.equal(given, all ? [{ address: '127.0.0.1', family: 4 }] : '127.0.0.1')
  })
}

test.run()
