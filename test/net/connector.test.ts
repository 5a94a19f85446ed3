import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ConfigError } from '../../src/errors.ts'
import { createConnector, describeConnectionError } from '../../src/net/connector.ts'
import { makeCertificate } from '../support/certificates.ts'

const test = suite('net/connector')

const ORIGIN = { host: 'a.test', port: 443, authority: 'a.test' }

for (const tls of [
  { ca: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n' },
  { certificate: 'none' },
  { key: 'none' },
])
  test(`${Object.keys(tls)[0]} that cannot be read is found before anything is opened`, () => {
    const isNamed = (error: unknown) =>
      error instanceof ConfigError && /TLS to https:\/\/a\.test:/.test(error.message)
    assert.throws(() => createConnector({ ...ORIGIN, tls }), isNamed)
  })

test('a certificate with the key of another is refused', async () => {
  const [one, other] = [await makeCertificate({}), await makeCertificate({})]
  const tls = { certificate: one.certificate, key: other.key }
  assert.throws(
    () => createConnector({ ...ORIGIN, tls }),
    (error: unknown) => error instanceof ConfigError,
  )
})

test('http and https at one place have different names, and a Unix socket that of its path', () => {
  assert.is(createConnector(ORIGIN).name, 'a.test')
  assert.is(createConnector({ ...ORIGIN, tls: {} }).name, 'https://a.test')
  const socket = { host: 'unix:/run/a', port: 0, authority: 'localhost', socketPath: '/run/a' }
  assert.is(createConnector(socket).name, 'unix:/run/a')
})

test('an error without a message is told by its code', () => {
  const error = Object.assign(new Error(''), { code: 'ECONNREFUSED' })
  assert.is(describeConnectionError(error), 'ECONNREFUSED')
})

test.run()
