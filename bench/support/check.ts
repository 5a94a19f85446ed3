// Proof, before anything is measured, that a contestant does the job: two requests bring two tokens that jose verifies.

import { strict as assert } from 'node:assert'
import { jwtVerify } from 'jose'

/**
 * Sends two requests through a proxy, in front of an upstream that tells what arrived, and judges the tokens.
 *
 * @param secret in hex
 * @param algorithm the one agreed on, and no other
 * @throws when a token is missing, wrong or the same as before
 */
export async function checkTokens(
  port: number,
  secret: string,
  algorithm: 'HS512' | 'HS256' = 'HS512',
): Promise<void> {
  const key = Buffer.from(secret, 'hex')
  const ids = new Set<string | undefined>()
  for (let request = 0; request < 2; request++) {
    const answer = await fetch(`http://127.0.0.1:${port}/check`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-my-jwt': 'forged' },
      body: '{"hello":"world"}',
    })
    const { jwt } = (await answer.json()) as { jwt?: string }
    assert(jwt !== undefined, 'no token reached the upstream')
    const { payload } = await jwtVerify(jwt, key, { algorithms: [algorithm], maxTokenAge: 5 })
    const date = new Date().toISOString().slice(0, 10)
    assert.deepEqual(payload.payload, { user: 'username', date }, 'the claims are not those of signet')
    ids.add(payload.jti)
  }
  assert(ids.size === 2 && !ids.has(undefined), 'the tokens have no ids of their own')
}
