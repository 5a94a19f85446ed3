// Which client is asking: Basic, or id and secret among the parameters (RFC 6749 §2.3.1). In: fields and parameters. Out: a
// client that has proved who it is.

import type { Client, Clients } from '../core/clients.ts'
import { OAuthError } from '../core/errors.ts'
import { type ClientCredentials, checkCredentials, type Parameters } from './parameters.ts'

/**
 * The client that a request comes from.
 *
 * @param authorization values of the field Authorization
 * @throws {OAuthError} `invalid_client`, and the same whether it is the id or the secret that is wrong; `invalid_request`
 *   when it proves itself in more than one way (§2.3)
 */
export function authenticateClient(
  clients: Clients,
  authorization: readonly string[],
  { values }: Parameters,
): Client {
  const [field, another] = authorization
  const { client_id: id, client_secret: secret } = values
  if (another !== undefined || (field !== undefined && secret !== undefined))
    throw new OAuthError('invalid_request', 'the client proves who it is in more than one way')
  const checked = checkCredentials(field === undefined ? { id, secret } : credentialsIn(field))
  const client = checked.ok ? clients.authenticate(checked.value.id, checked.value.secret) : undefined
  if (client === undefined)
    throw new OAuthError('invalid_client', 'the client is unknown, or its secret is wrong')
  if (id !== undefined && id !== client.id)
    throw new OAuthError('invalid_request', 'client_id is not the client that proves who it is')
  return client
}

/** Id and secret in a field: each encoded as in a form before they became user and password. */
function credentialsIn(field: string): ClientCredentials | undefined {
  const [, encoded] = /^basic +([\w+/-]+={0,2})$/i.exec(field) ?? []
  if (encoded === undefined) return undefined
  const pair = Buffer.from(encoded, 'base64').toString('utf8')
  const colon = pair.indexOf(':')
  if (colon === -1) return undefined
  try {
    return { id: formDecoded(pair.slice(0, colon)), secret: formDecoded(pair.slice(colon + 1)) }
  } catch {
    return undefined // a per cent sign without two hex digits
  }
}

function formDecoded(text: string): string {
  return decodeURIComponent(text.replaceAll('+', ' '))
}
