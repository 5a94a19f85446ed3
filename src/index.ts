// The package as a library: every name that a program may import from 'signet'.

export { ConfigError, type FailureCode } from './errors.ts'
export type { Identity } from './http/identity.ts'
export { createProxy, type Proxy } from './library.ts'
export type { Logger, Options } from './library-options.ts'
export type {
  MessageFields,
  Middleware,
  MiddlewareAnswer,
  MiddlewareExchange,
  MiddlewareFunction,
  MiddlewarePhase,
  MiddlewareRequest,
  MiddlewareResponse,
} from './middleware/middleware.ts'
export type {
  ApiKeyOptions,
  AuthenticatorOptions,
  CompressionOptions,
  ConfigOptions,
  CredentialOptions,
  CredentialUseOptions,
  DestinationOptions,
  EjectionOptions,
  ForwardOptions,
  HealthOptions,
  KeyOptions,
  LimitOptions,
  RedisOptions,
  RouteOptions,
  TargetOptions,
  TlsOptions,
  TokenOptions,
  UpstreamOptions,
  UpstreamTlsOptions,
} from './options.ts'
export type { Listening } from './proxy.ts'
