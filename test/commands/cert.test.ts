import { X509Certificate, createPrivateKey } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { checkServerIdentity, connect, createServer, type TLSSocket } from 'node:tls'
import type { AddressInfo } from 'node:net'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { runCert } from '../../src/commands/cert.ts'
import { Printed, within } from './support.ts'

const test = suite('commands/cert')

/** Runs the command in a directory of its own, which is removed afterwards. */
async function withDirectory(use: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'signet-cert-'))
  try {
    await use(directory)
  } finally {
    await rm(directory, { recursive: true })
  }
}

async function run(...argv: string[]) {
  const stdout = new Printed()
  const stderr = new Printed()
  const code = await within(runCert(argv, { stdout, stderr }), 'the command')
  return { code, out: stdout.text, err: stderr.text }
}

test('a client that trusts the certificate reaches each of its default names by TLS', () =>
  withDirectory(async (directory) => {
    const { code, err } = await run('--out', directory)
    assert.is(err, '')
    assert.is(code, 0)
    const cert = await readFile(join(directory, 'signet-cert.pem'), 'utf8')
    const key = await readFile(join(directory, 'signet-key.pem'), 'utf8')
    const server = createServer({ cert, key }, (socket) => socket.end())
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const sockets: TLSSocket[] = []
    try {
      for (const name of ['localhost', '127.0.0.1', '::1']) {
        const servername = name === 'localhost' ? { servername: name } : {}
        const socket = connect({
          port,
          host: '127.0.0.1',
          ca: cert,
          ...servername,
          checkServerIdentity: (_host, peer) => checkServerIdentity(name, peer),
        })
        sockets.push(socket)
        await within(
          new Promise((resolve, reject) =>
            socket.once('secureConnect', () => resolve(undefined)).once('error', reject),
          ),
          `a handshake for ${name}`,
        )
        assert.ok(socket.authorized, `authorized for ${name}`)
      }
    } finally {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    }
  }))

test('it is for the names asked for, for as many days, and belongs to its key', () =>
  withDirectory(async (directory) => {
    const names = ['--name', 'a.test', '--name', '*.b.test', '--name', '10.0.0.1', '--name', '2001:db8::1']
    const { code, out } = await run(...names, '--days', '7', '--out', directory)
    assert.is(code, 0)
    const certificate = new X509Certificate(await readFile(join(directory, 'signet-cert.pem')))
    const key = createPrivateKey(await readFile(join(directory, 'signet-key.pem')))
    assert.ok(certificate.checkPrivateKey(key))
    assert.is(certificate.checkHost('a.test'), 'a.test')
    assert.is(certificate.checkHost('x.b.test'), '*.b.test')
    assert.is(certificate.checkHost('localhost'), undefined)
    assert.is(certificate.checkIP('10.0.0.1'), '10.0.0.1')
    assert.ok(certificate.checkIP('2001:db8::1') !== undefined)
    assert.not(certificate.ca)
    const days = (Date.parse(certificate.validTo) - Date.parse(certificate.validFrom)) / 86_400_000
    assert.is(days, 7)
    assert.ok(out.includes(`certificate: file:${join(directory, 'signet-cert.pem')}`))
    assert.ok(out.includes(`key: file:${join(directory, 'signet-key.pem')}`))
    assert.ok(out.includes(`--cacert ${join(directory, 'signet-cert.pem')} https://a.test:`))
  }))

test('nobody but the owner may read the key', () =>
  withDirectory(async (directory) => {
    await run('--out', join(directory, 'new', 'one'))
    assert.is((await stat(join(directory, 'new', 'one', 'signet-key.pem'))).mode & 0o777, 0o600)
  }))

for (const there of ['signet-cert.pem', 'signet-key.pem']) {
  test(`${there} is not overwritten, and nothing is written beside it`, () =>
    withDirectory(async (directory) => {
      await writeFile(join(directory, there), 'mine')
      const { code, err } = await run('--out', directory)
      assert.is(code, 1)
      assert.match(err, new RegExp(`${there} is there already; --force overwrites it`))
      assert.is(await readFile(join(directory, there), 'utf8'), 'mine')
      assert.equal(await readdir(directory), [there])
    }))

  test(`--force overwrites ${there}, whoever could read it before`, () =>
    withDirectory(async (directory) => {
      await writeFile(join(directory, there), 'mine', { mode: 0o666 })
      assert.is((await run('--out', directory, '--force')).code, 0)
      assert.match(await readFile(join(directory, there), 'utf8'), /^-----BEGIN /)
      assert.is((await stat(join(directory, 'signet-key.pem'))).mode & 0o777, 0o600)
    }))
}

test('a directory that cannot be written to is a failure, said in one line', () =>
  withDirectory(async (directory) => {
    await writeFile(join(directory, 'file'), '')
    const { code, err } = await run('--out', join(directory, 'file'))
    assert.is(code, 1)
    assert.match(err, /^signet cert: .+\n$/)
    assert.not.match(err, '--force overwrites')
    assert.match(err, 'file is a file, and --out names a directory')
    assert.is((await run('--out', join(directory, 'file'), '--force')).err, err)
  }))

test('--force that cannot write leaves what is there as it was', () =>
  withDirectory(async (directory) => {
    await writeFile(join(directory, 'signet-key.pem'), 'mine')
    await writeFile(join(directory, 'signet-cert.pem'), 'mine too')
    await mkdir(join(directory, 'signet-cert.pem.new', 'x'), { recursive: true }) // in the way of the second file
    assert.is((await run('--out', directory, '--force')).code, 1)
    assert.is(await readFile(join(directory, 'signet-key.pem'), 'utf8'), 'mine')
    assert.is(await readFile(join(directory, 'signet-cert.pem'), 'utf8'), 'mine too')
    assert.equal((await readdir(directory)).sort(), [
      'signet-cert.pem',
      'signet-cert.pem.new',
      'signet-key.pem',
    ])
  }))

for (const [what, ...argv] of [
  ['a name with a blank', '--name', 'a b'],
  ['an empty name', '--name', ''],
  ['a name with a path', '--name', 'a/b'],
  ['half an IP address', '--name', '10.0.0'],
  ['an address with a zone', '--name', 'fe80::1%eth0'],
  ['no day', '--days', '0'],
  ['days that are no number', '--days', '1e3'],
  ['too many days', '--days', '3651'],
  ['an unknown flag', '--unknown'],
  ['an operand', 'localhost'],
  ['an empty directory', '--out', ''],
]) {
  test(`${what} is wrong usage`, async () => {
    const { code, out, err } = await run(...argv)
    assert.is(code, 2)
    assert.is(out, '')
    assert.match(err, /^signet cert: .+\n\nUsage: signet cert /)
  })
}

test('--help explains itself', async () => {
  const { code, out } = await run('--help')
  assert.is(code, 0)
  assert.match(out, /^Usage: signet cert /)
})

test.run()
