// The endpoints as HTTP has them: which path, method and fields; which status and JSON. In: requests. Out: answers. What is
// granted to whom is the core's to say.

import type { ServiceAnswer, ServiceRequest } from '../../service/http-service.ts'
import type { AccessTokens } from '../core/access-tokens.ts'
import type { Authorization } from '../core/authorization.ts'
import { type Client, type Clients, GRANT_TYPES } from '../core/clients.ts'
import { OAuthError, type OAuthErrorCode } from '../core/errors.ts'
import { SCOPES } from '../core/scope.ts'
import type { TokenGrants, TokenRequest } from '../core/token-grants.ts'
import { authenticateClient } from './client-authentication.ts'
import {
  checkAuthorization,
  checkCode,
  checkDestination,
  checkGrantType,
  checkIntrospection,
  checkScope,
  checkState,
  demand,
  demandOnce,
  type Parameters,
  readParameters,
} from './parameters.ts'

/** What the endpoints are made of. */
export interface EndpointsOptions {
  readonly issuer: string
  readonly clients: Clients
  readonly authorization: Authorization
  readonly grants: TokenGrants
  readonly tokens: AccessTokens
}

/** Statuses of what is answered to a client itself (RFC 6749 §5.2). */
const STATUSES: Readonly<Record<OAuthErrorCode, number>> = {
  invalid_request: 400,
  invalid_client: 401,
  invalid_grant: 400,
  unauthorized_client: 400,
  unsupported_grant_type: 400,
  unsupported_response_type: 400,
  invalid_scope: 400,
  temporarily_unavailable: 503,
}

/** RFC 6749 §5.1; every answer has `Cache-Control: no-store` already. */
const NOT_CACHED = { pragma: 'no-cache' }
const CHALLENGE = { 'www-authenticate': 'Basic realm="authorization-server", charset="UTF-8"' }

interface Endpoint {
  readonly method: 'GET' | 'POST'
  readonly answer: (request: ServiceRequest) => ServiceAnswer | Promise<ServiceAnswer>
}

/** Prepares the endpoints. @returns what answers a request; it throws nothing that a client can cause but RequestError */
export function createEndpoints(
  options: EndpointsOptions,
): (request: ServiceRequest) => Promise<ServiceAnswer> {
  const { tokens, issuer } = options
  const metadata = { status: 200, json: metadataOf(issuer) }
  const endpoints = new Map<string, Endpoint>([
    ['/authorize', { method: 'GET', answer: (request) => answerAuthorize(request, options) }],
    ['/token', { method: 'POST', answer: (request) => answerToken(request, options) }],
    ['/introspect', { method: 'POST', answer: (request) => answerIntrospect(request, options) }],
    ['/jwks', { method: 'GET', answer: () => ({ status: 200, json: { keys: [tokens.jwk] } }) }],
    ['/.well-known/oauth-authorization-server', { method: 'GET', answer: () => metadata }],
    ['/health', { method: 'GET', answer: () => ({ status: 200, json: { status: 'ok' } }) }],
  ])
  return async (request) => {
    const endpoint = endpoints.get(request.path)
    if (endpoint === undefined) return { status: 404, json: { error: 'not_found' } }
    const { method, answer } = endpoint
    if (request.method !== method)
      return { status: 405, fields: { allow: method }, json: { error: 'method_not_allowed' } }
    try {
      return await answer(request)
    } catch (error) {
      if (!(error instanceof OAuthError)) throw error
      return refusalOf(error)
    }
  }
}

/** RFC 8414 §2. */
function metadataOf(issuer: string): object {
  const methods = ['client_secret_basic', 'client_secret_post']
  return {
    issuer,
    authorization_endpoint: `${issuer}/authorize`,
    token_endpoint: `${issuer}/token`,
    introspection_endpoint: `${issuer}/introspect`,
    jwks_uri: `${issuer}/jwks`,
    scopes_supported: SCOPES,
    response_types_supported: ['code'],
    response_modes_supported: ['query'],
    grant_types_supported: GRANT_TYPES,
    token_endpoint_auth_methods_supported: methods,
    introspection_endpoint_auth_methods_supported: methods,
    code_challenge_methods_supported: ['S256'],
    authorization_response_iss_parameter_supported: true,
  }
}

/** RFC 6749 §4.1.1 and §4.1.2. */
function answerAuthorize(
  request: ServiceRequest,
  { issuer, authorization }: EndpointsOptions,
): ServiceAnswer {
  const parameters = readParameters(request.query)
  const { values } = parameters
  const destination = checkDestination(values)
  if (!destination.ok) demandOnce(parameters) // a better reason than that it is missing
  const { client_id, redirect_uri } = demand(destination)
  const client = authorization.clientReturningTo(client_id, redirect_uri)
  if (client === undefined)
    throw new OAuthError(
      'invalid_request',
      'there is no such client, or it has not registered this redirect_uri',
    )

  // From here on the client is told, with its state, and by whom (RFC 9207).
  const checkedState = checkState(values)
  const { state } = checkedState.ok ? checkedState.value : {}
  const redirect = (answer: Record<string, string>, log: object): ServiceAnswer => {
    const query = new URLSearchParams({ ...answer, ...(state === undefined ? {} : { state }), iss: issuer })
    // Behind the URI as it was registered: `new URL` would write it anew.
    const location = `${redirect_uri}${redirect_uri.includes('?') ? '&' : '?'}${query}`
    const fields = { location, 'referrer-policy': 'no-referrer' }
    return { status: 302, fields, log: { client: client_id, ...log } }
  }
  try {
    demandOnce(parameters)
    demand(checkedState)
    const { response_type, scope, code_challenge, login_hint } = demand(checkAuthorization(values))
    const code = authorization.authorize(client, {
      redirectUri: redirect_uri,
      responseType: response_type,
      scope,
      challenge: code_challenge,
      loginHint: login_hint,
    })
    return redirect({ code }, { scope, user: login_hint })
  } catch (error) {
    if (!(error instanceof OAuthError)) throw error
    const { code, message } = error
    return redirect({ error: code, error_description: message }, { error: code, reason: message })
  }
}

/** RFC 6749 §3.2. */
async function answerToken(
  request: ServiceRequest,
  { clients, grants }: EndpointsOptions,
): Promise<ServiceAnswer> {
  const { client, values } = await readClientRequest(request, clients)
  const { token, tokenId, user, scope, expiresIn } = await grants.grant(client, tokenRequestOf(values))
  return {
    status: 200,
    fields: NOT_CACHED,
    json: { access_token: token, token_type: 'Bearer', expires_in: expiresIn, scope },
    log: { client: client.id, scope, user, jti: tokenId },
  }
}

function tokenRequestOf(values: Parameters['values']): TokenRequest {
  const { grant_type } = demand(checkGrantType(values))
  switch (grant_type) {
    case 'authorization_code': {
      const { code, redirect_uri, code_verifier } = demand(checkCode(values))
      return { grantType: grant_type, code, redirectUri: redirect_uri, verifier: code_verifier }
    }
    case 'client_credentials':
      return { grantType: grant_type, scope: demand(checkScope(values)).scope }
    default:
      throw new OAuthError('unsupported_grant_type', `the grant type has to be ${GRANT_TYPES.join(' or ')}`)
  }
}

/** RFC 7662 §2. */
async function answerIntrospect(
  request: ServiceRequest,
  { clients, tokens }: EndpointsOptions,
): Promise<ServiceAnswer> {
  const { client, values } = await readClientRequest(request, clients)
  if (!client.mayIntrospect)
    return {
      ...refusalOf(new OAuthError('unauthorized_client', 'this client may not introspect')),
      status: 403, // it is known and will not become somebody else: no use in asking again with other credentials
    }
  const found = await tokens.introspect(demand(checkIntrospection(values)).token)
  if (!found.active)
    return {
      status: 200,
      json: { active: false },
      log: { client: client.id, active: false, reason: found.reason },
    }
  const { sub, scope, jti } = found.claims
  return {
    status: 200,
    json: { active: true, token_type: 'Bearer', ...found.claims },
    log: { client: client.id, active: true, subject: sub, scope, jti },
  }
}

/** What both endpoints for clients begin with: a form, and a client that proves who it is. */
async function readClientRequest(
  request: ServiceRequest,
  clients: Clients,
): Promise<{ client: Client; values: Parameters['values'] }> {
  const type = request.field('content-type').join()
  if (!/^application\/x-www-form-urlencoded *(;|$)/i.test(type))
    throw new OAuthError('invalid_request', 'the body has to be application/x-www-form-urlencoded')
  const parameters = readParameters(await request.body())
  demandOnce(parameters)
  const client = authenticateClient(clients, request.field('authorization'), parameters)
  return { client, values: parameters.values }
}

function refusalOf({ code, message }: OAuthError): ServiceAnswer {
  return {
    status: STATUSES[code],
    fields: { ...NOT_CACHED, ...(code === 'invalid_client' ? CHALLENGE : {}) },
    json: { error: code, error_description: message },
    log: { error: code, reason: message },
  }
}
