// What one token costs: `node build/bench/mint.js`. ns per token, best of several rounds; each token is
// copied into a head's octets, as on the road, so that strings which are put together lazily pay for it here.

import { createHmac, createSecretKey, generateKeyPairSync, hash, randomUUID } from 'node:crypto'
import { SignJWT } from 'jose'
import { claimsOf } from '../src/jwt/claims.ts'
import { createTokenMinter } from '../src/jwt/mint.ts'
import { readSigningKey, type WrittenKey } from '../src/jwt/signing-keys.ts'
import { tokenClaims } from '../src/jwt/token-claims.ts'
import { hashTwice, inner, key, mint, outer, USER } from './support/token-steps.ts'

const ROUNDS = 7
const NS_PER_ROUND = 200e6

const facts = { user: USER }
const head = Buffer.alloc(2048)
const others = Array.from({ length: 1000 }, (_, id) => ({ user: `user-${id}` }))
let next = 0

/** The plain way: nothing kept, every part encoded for every token. */
function mintPlainly(): string {
  const header = base64url(JSON.stringify({ alg: 'HS512', typ: 'JWT' }))
  const claims = base64url(JSON.stringify(claimsOf(facts, Math.floor(Date.now() / 1000), randomUUID())))
  const signature = createHmac('sha512', key.secret).update(`${header}.${claims}`).digest('base64url')
  return `${header}.${claims}.${signature}`
}

const keyObject = createSecretKey(key.secret)

/** jose, with a KeyObject so that the import of the key is not counted. */
function mintByJose(): Promise<string> {
  return new SignJWT({ ...claimsOf(facts, Math.floor(Date.now() / 1000), randomUUID()) })
    .setProtectedHeader({ alg: 'HS512', typ: 'JWT' })
    .sign(keyObject)
}

function base64url(text: string): string {
  return Buffer.from(text).toString('base64url')
}

// Tokens of their own: other algorithms, and claims from templates.
const secret = '5e'.repeat(64)
const pairs = {
  ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  EdDSA: generateKeyPairSync('ed25519'),
  RS256: generateKeyPairSync('rsa', { modulusLength: 2048 }),
}
const pemOf = (algorithm: keyof typeof pairs) =>
  pairs[algorithm].privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
const claims = { sub: '{subject}', shop: '{params.shop_id}', bound: '{method} {path}' }

/** A token of its own: always the same facts, as those of one user in one second are. */
function mintBy(written: WrittenKey, templates?: Readonly<Record<string, unknown>>): () => string {
  const contents = { lifetime: 60_000, ...(templates && { claims: templates }) }
  const make = createTokenMinter({
    key: readSigningKey(written),
    claims: tokenClaims(contents),
    now: Date.now,
    nextId: randomUUID,
  })
  const known = { subject: USER, method: 'GET', path: '/shops/1', scopes: [], roles: [], claims: {} }
  return () => make({ ...known, params: { shop_id: 'BBY001' } }).jwt
}

// The parts, to see where the time goes and why each is done as it is.
const id = randomUUID()

function hashTwiceByBuffer(): string {
  outer.set(hash('sha512', inner, 'buffer'), 128)
  return hash('sha512', outer, 'base64url')
}

/** Best of {@link ROUNDS}: what disturbs a measurement only ever adds to it. */
async function nsPerToken(make: () => string | Promise<string>): Promise<number> {
  let best = Number.POSITIVE_INFINITY
  for (let round = 0; round < ROUNDS; round++) {
    const started = process.hrtime.bigint()
    let tokens = 0
    let elapsed = 0
    while (elapsed < NS_PER_ROUND) {
      for (let batch = 0; batch < 1000; batch++) {
        const token = make()
        head.write(typeof token === 'string' ? token : await token, 'latin1')
      }
      tokens += 1000
      elapsed = Number(process.hrtime.bigint() - started)
    }
    best = Math.min(best, elapsed / tokens)
  }
  return best
}

type Contestants = readonly (readonly [name: string, make: () => string | Promise<string>])[]

const TOKENS: Contestants = [
  ['minter, same user', () => mint().jwt],
  ['minter, another user each time', () => mint(others[next++ % others.length]).jwt],
  ['createHmac, all encoded each time', mintPlainly],
  ['jose SignJWT', mintByJose],
]

const OWN: Contestants = [
  ['HS256', mintBy({ algorithm: 'HS256', secret })],
  ['HS512', mintBy({ algorithm: 'HS512', secret })],
  ['HS512, claims from templates', mintBy({ algorithm: 'HS512', secret }, claims)],
  ['EdDSA', mintBy({ algorithm: 'EdDSA', privateKey: pemOf('EdDSA') })],
  ['ES256', mintBy({ algorithm: 'ES256', privateKey: pemOf('ES256') })],
  ['RS256, 2048 bits', mintBy({ algorithm: 'RS256', privateKey: pemOf('RS256') })],
]

const PARTS: Contestants = [
  ['two digests, the inner one as a string', hashTwice],
  ['two digests, the inner one as a Buffer', hashTwiceByBuffer],
  ['createHmac alone', () => createHmac('sha512', key.secret).update(inner).digest('base64url')],
  ['randomUUID', randomUUID],
  ['base64url of an id by Buffer', () => base64url(id)],
  ['only copying an id into the head', () => id],
]

console.log(`ns per token, Node ${process.versions.node}, OpenSSL ${process.versions.openssl}`)
for (const [name, make] of [...TOKENS, ...OWN, ...PARTS]) {
  const ns = Math.round(await nsPerToken(make))
  console.log(`${String(ns).padStart(8)}  ${name}`)
}
