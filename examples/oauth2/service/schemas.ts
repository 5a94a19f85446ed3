// What values of more than one configuration have to look like.

import type { Schema } from './check.ts'

/** A host name or an IP address to listen on. */
export const HOST: Schema = {
  type: 'string',
  errorMessage: 'a host name or an IP address',
  pattern: '^[\\w.:-]+$',
}

/** A port to listen on; 0 takes any free one. */
export const PORT: Schema = {
  type: 'integer',
  errorMessage: 'an integer from 0 to 65535',
  minimum: 0,
  maximum: 65_535,
}

/** Where a service is called. */
export const ORIGIN: Schema = {
  type: 'string',
  errorMessage: 'an http or https origin without a path, such as https://as.example',
  pattern: '^https?://[\\w.:[\\]-]+$',
  maxLength: 255,
}

/** A client's id or secret. */
export const CLIENT_TEXT: Schema = {
  type: 'string',
  errorMessage: 'visible ASCII characters, 255 at most',
  pattern: '^[ -~]+$',
  maxLength: 255,
}

/** A user as a condition can name it: without a quote. */
export const USER: Schema = {
  type: 'string',
  errorMessage: 'a user, 128 characters at most, none of them a quote or a control character',
  pattern: "^[^'\\p{C}]+$",
  maxLength: 128,
}

/** What signet signs with. */
export const SIGNET_SECRET: Schema = {
  type: 'string',
  errorMessage:
    'the secret of signet, two hex digits an octet and 64 octets at least (`openssl rand -hex 64`)',
  pattern: '^\\s*([\\da-fA-F]\\s*[\\da-fA-F]\\s*){64,1024}$',
}
