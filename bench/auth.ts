// What it costs to know who is asking: `node build/bench/auth.js`. ns each, best of several rounds; a token as it comes, cut out
// of the text of a head.

import { createHmac, randomBytes } from 'node:crypto'
import { jwtVerify } from 'jose'
import { createAdmission } from '../src/admission.ts'
import { createJwt } from '../src/auth/jwt.ts'
import { SecretVerifier } from '../src/auth/signed-token.ts'
import { FieldRules } from '../src/http/forward-fields.ts'
import { createHeadParser } from '../src/http/parser.ts'
import { readRequest } from '../src/http/request.ts'
import { mint } from './support/token-steps.ts'

const ROUNDS = 9
const NS_PER_ROUND = 150e6

const secret = randomBytes(32)
const now = Math.floor(Date.now() / 1000)

function sign(subject: string): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const claims = {
    iss: 'https://issuer.example',
    sub: subject,
    aud: 'shop',
    iat: now,
    exp: now + 3600,
    role: 'user',
  }
  const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}`
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`
}

const parser = createHeadParser({ region: 65_536, maxHeadSize: 16_384, maxFields: 100 })
const rules = new FieldRules(['x-my-jwt'])

function headWith(token: string) {
  const text = `GET /shops/WAL001 HTTP/1.1\r\nHost: a.test\r\nAccept: */*\r\nUser-Agent: bench\r\nAuthorization: Bearer ${token}\r\n\r\n`
  const octets = Buffer.from(text, 'latin1')
  return readRequest(parser.parseRequest(octets, 0, octets.length), rules, 8192)
}

const config = {
  kind: 'jwt',
  name: 'tokens',
  forward: false,
  policy: {
    subject: 'sub',
    issuer: 'https://issuer.example',
    audience: ['shop'],
    leeway: 0,
    requiredClaims: ['exp'],
  },
  key: { algorithms: ['HS256'], secret: secret.toString('base64url') },
} as const
const context = { now: Date.now, clock: () => performance.now() }
const admission = createAdmission({}, [createJwt(config, context)], () => undefined)
const match = { value: undefined as never, target: undefined, params: {} }

const verifier = new SecretVerifier(['HS256'], secret)
const tokens = Array.from({ length: 5000 }, (_, at) => sign(`user-${at}`))
/** Heads as they come one after the other: each its own text, though the token may be the same. */
const same = Array.from({ length: 64 }, () => headWith(tokens[0]!))
const others = tokens.map(headWith)
let next = 0

const CONTESTANTS: readonly (readonly [name: string, run: () => unknown])[] = [
  ['outbound token alone', () => mint().jwt],
  ['jwt HS256, the token of the request before', () => admission.admit(same[next++ & 63]!, '', match)],
  ['jwt HS256, another token each time', () => admission.admit(others[next++ % others.length]!, '', match)],
  ['signature and claims alone', () => verifier.verify(tokens[next++ % tokens.length]!)],
  ['jose jwtVerify', () => jwtVerify(tokens[next++ % tokens.length]!, secret, { algorithms: ['HS256'] })],
]

async function nsEach(run: () => unknown): Promise<number> {
  const awaited = run() instanceof Promise
  let best = Number.POSITIVE_INFINITY
  for (let round = 0; round < ROUNDS; round++) {
    const began = process.hrtime.bigint()
    let times = 0
    let elapsed = 0
    while (elapsed < NS_PER_ROUND) {
      for (let batch = 0; batch < 500; batch++) {
        if (awaited) await run()
        else run()
      }
      times += 500
      elapsed = Number(process.hrtime.bigint() - began)
    }
    best = Math.min(best, elapsed / times)
  }
  return best
}

console.log(`ns each, Node ${process.versions.node}`)
for (const [name, run] of CONTESTANTS)
  console.log(`${String(Math.round(await nsEach(run))).padStart(8)}  ${name}`)
