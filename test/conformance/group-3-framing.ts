// Group 3, message framing (RFC 9112 §6 and §7): framing fields, chunks, bodies where few are expected, attacks as they were
// published.

import {
  type Case,
  cutOff,
  forward,
  get,
  type Group,
  HOST,
  one,
  post,
  refuse,
  refuseAndKeep,
  slowly,
  SMUGGLED,
} from './cases.ts'
import { chunked, head } from './octets.ts'

import { CHUNKS, chunkedBodies, EXTENSIONS, goodChunks, TE, trailerSections } from './group-3-chunks.ts'
import { expectations } from './group-3-expect.ts'
import { CHUNKED_BODY, FRAMING, framingFields } from './group-3-framing-fields.ts'

// ── bodies where few are expected, and lengths that do not fit ────────────────────────────────────────────────────────

const bodies: Case[] = [
  ...['GET', 'HEAD', 'DELETE', 'OPTIONS', 'POST', 'PUT', 'PATCH', 'PROPFIND', 'QUERY', 'PURGE'].flatMap(
    (method) => {
      const start = `${method} /case HTTP/1.1`
      return [
        one(
          `${method} with a length`,
          `${head(start, HOST, 'Content-Length: 5')}hello`,
          FRAMING,
          forward({ method, body: 'hello' }),
        ),
        one(
          `${method} with a length of 0`,
          head(start, HOST, 'Content-Length: 0'),
          FRAMING,
          forward({ method, framing: 'length 0' }),
        ),
        one(
          `${method} with chunks`,
          head(start, HOST, 'Transfer-Encoding: chunked') + CHUNKED_BODY,
          FRAMING,
          forward({ method, body: 'hello' }),
        ),
        one(
          `${method} whose body is a request`,
          head(start, HOST, `Content-Length: ${get().length}`) + get(),
          FRAMING,
          forward({ method, body: get() }),
        ),
        one(
          `${method} whose chunk is a request`,
          head(start, HOST, 'Transfer-Encoding: chunked') + chunked([get()]),
          FRAMING,
          forward({ method, body: get() }),
        ),
      ]
    },
  ),
  one(
    'OPTIONS * with a body',
    `${head('OPTIONS * HTTP/1.1', HOST, 'Content-Length: 5')}hello`,
    FRAMING,
    forward({ target: '*', body: 'hello' }),
  ),
  one(
    'TRACE with a length of 0',
    head('TRACE /case HTTP/1.1', HOST, 'Content-Length: 0'),
    'RFC 9110 §9.3.8',
    refuseAndKeep(501),
  ),
  one(
    'TRACE with chunks',
    head('TRACE /case HTTP/1.1', HOST, 'Transfer-Encoding: chunked') + CHUNKED_BODY,
    'RFC 9110 §9.3.8',
    refuse(400, 501),
  ),
  one(
    'CONNECT with a length',
    `${head('CONNECT origin.test:80 HTTP/1.1', HOST, 'Content-Length: 5')}hello`,
    'RFC 9110 §9.3.6',
    refuse(400, 501),
  ),
  one(
    'a length larger than what comes, then FIN',
    `${post('Content-Length: 50')}hello`,
    'RFC 9112 §8',
    cutOff(400, 408),
    { probe: false, fin: true },
  ),
  one('a length that swallows the next request', `${post('Content-Length: 500')}hello`, FRAMING, refuse(408)),
  one('a length that is too short by one', `${post('Content-Length: 4')}hello`, FRAMING, refuse(400, 501), {
    before: 1,
  }),
  one(
    'two requests with lengths',
    `${post('Content-Length: 5')}hello`.repeat(2),
    FRAMING,
    forward({ body: 'hello' }),
  ),
  one('two requests in chunks', (TE + CHUNKED_BODY).repeat(2), FRAMING, forward({ body: 'hello' })),
  one(
    'ten requests of every framing',
    `${get()}${post('Content-Length: 5')}hello${TE}${CHUNKED_BODY}`.repeat(3) + get(),
    FRAMING,
    forward(),
  ),
  one(
    'a body of 1,000,000 octets',
    post('Content-Length: 1000000') + 'x'.repeat(1_000_000),
    FRAMING,
    forward({ body: 'x'.repeat(1_000_000) }),
  ),
]

// ── attacks as they were published ────────────────────────────────────────────────────────────────────────────────────

const attacks: Case[] = [
  one('CL.TE', `${post('Content-Length: 6', 'Transfer-Encoding: chunked')}0\r\n\r\nG`, FRAMING, refuse(400)),
  one(
    'CL.TE with a request',
    `${post(`Content-Length: ${5 + SMUGGLED.length}`, 'Transfer-Encoding: chunked')}0\r\n\r\n${SMUGGLED}`,
    FRAMING,
    refuse(400),
  ),
  one(
    'TE.CL',
    `${post('Content-Length: 4', 'Transfer-Encoding: chunked')}5c\r\n${SMUGGLED.padEnd(0x5c, 'x')}\r\n0\r\n\r\n`,
    FRAMING,
    refuse(400),
  ),
  one(
    'TE.TE',
    `${post('Content-Length: 4', 'Transfer-Encoding: chunked', 'Transfer-encoding: cow')}5c\r\n${SMUGGLED.padEnd(0x5c, 'x')}\r\n0\r\n\r\n`,
    FRAMING,
    refuse(400, 501),
  ),
  one('CL.0', post(`Content-Length: ${SMUGGLED.length}`) + SMUGGLED, FRAMING, forward({ body: SMUGGLED })),
  one(
    'CL.0 in GET',
    head('GET /case HTTP/1.1', HOST, `Content-Length: ${SMUGGLED.length}`) + SMUGGLED,
    FRAMING,
    forward({ body: SMUGGLED }),
  ),
  one(
    'CL.0 by two lengths',
    post('Content-Length: 0', `Content-Length: ${SMUGGLED.length}`) + SMUGGLED,
    FRAMING,
    refuse(400),
  ),
  one(
    'CL.CL',
    post(`Content-Length: ${SMUGGLED.length}`, 'Content-Length: 0') + SMUGGLED,
    FRAMING,
    refuse(400),
  ),
  one(
    '0.CL by a blank',
    post(`Content-Length : ${SMUGGLED.length}`) + SMUGGLED,
    'RFC 9112 §5.1',
    refuse(400),
  ),
  one(
    '0.CL by obs-fold',
    post('Content-Length:', ` ${SMUGGLED.length}`) + SMUGGLED,
    'RFC 9112 §5.2',
    refuse(400),
  ),
  one(
    '0.CL by a bare LF',
    post(`X-A: b\nContent-Length: ${SMUGGLED.length}`) + SMUGGLED,
    'RFC 9112 §2.2',
    refuse(400),
  ),
  one('TE.0', TE + chunked([SMUGGLED]), FRAMING, forward({ body: SMUGGLED })),
  one(
    'TE.0 in OPTIONS',
    head('OPTIONS / HTTP/1.1', HOST, 'Transfer-Encoding: chunked') + chunked([SMUGGLED]),
    FRAMING,
    forward({ body: SMUGGLED }),
  ),
  one('TERM.EXT', `${TE}5;a\n${'hello'}\r\n0\r\n\r\n${SMUGGLED}`, EXTENSIONS, refuse(400)),
  one('EXT.TERM', `${TE}5;\nxx;4c\r\nhello\r\n0\r\n\r\n`, EXTENSIONS, refuse(400)),
  one('TERM.SPILL', `${TE}5\r\nhello\n0\r\n\r\n`, CHUNKS, refuse(400)),
  one('SPILL.TERM', `${TE}5\r\nhelloX\r\n0\r\n\r\n`, CHUNKS, refuse(400)),
  one('ONE.TWO', `${TE}5\r\nhello\r\r\n0\r\n\r\n`, CHUNKS, refuse(400)),
  one('TWO.ONE', `${TE}5\r\nhello\r0\r\n\r\n`, CHUNKS, refuse(400)),
  one('ZERO.TWO', `${TE}5\r\nhello0\r\n\r\n`, CHUNKS, refuse(400)),
  one(
    'a request in the target by CR LF',
    `GET / HTTP/1.1\r\nHost: x\r\n\r\n HTTP/1.1\r\n${HOST}\r\n\r\n`,
    'RFC 9112 §3',
    refuse(400, 501),
    { before: 1 },
  ),
  one(
    'Connection: Content-Length',
    `${post('Connection: Content-Length', `Content-Length: ${SMUGGLED.length}`)}${SMUGGLED}`,
    'RFC 9110 §7.6.1',
    forward({ body: SMUGGLED }),
  ),
  one(
    'Connection: Transfer-Encoding',
    post('Connection: Transfer-Encoding', 'Transfer-Encoding: chunked') + chunked([SMUGGLED]),
    'RFC 9110 §7.6.1',
    forward({ body: SMUGGLED }),
  ),
  one(
    'Upgrade with a length',
    post('Connection: upgrade', 'Upgrade: websocket', `Content-Length: ${SMUGGLED.length}`) + SMUGGLED,
    'RFC 9110 §7.8',
    forward({ body: SMUGGLED }),
  ),
  one(
    'Upgrade with chunks',
    post('Connection: upgrade', 'Upgrade: websocket', 'Transfer-Encoding: chunked') + chunked([SMUGGLED]),
    'RFC 9110 §7.8',
    forward({ body: SMUGGLED }),
  ),
  one(
    'Upgrade with a coding that is not chunked',
    post('Connection: upgrade', 'Upgrade: websocket', 'Transfer-Encoding: gzip') + SMUGGLED,
    FRAMING,
    refuse(400, 501),
  ),
  one(
    'Upgrade with two lengths',
    post('Connection: upgrade', 'Upgrade: websocket', 'Content-Length: 0', 'Content-Length: 5') + SMUGGLED,
    FRAMING,
    refuse(400),
  ),
]

/** The same once more, an octet a write. */
const octetByOctet: Case[] = [
  ...goodChunks.filter(({ octets }) => octets.length < 150),
  ...attacks.filter(({ name }) => /^(CL|TE|TERM|EXT|SPILL)\.|^CL\.TE with/.test(name)),
  ...trailerSections.filter(({ name }) => /several|x-my-jwt|obs-fold|LF for a line end/.test(name)),
].map(slowly)

/** Group 3. */
export const framing: Group = {
  name: '3 framing',
  cases: [...framingFields, ...chunkedBodies, ...bodies, ...expectations, ...attacks, ...octetByOctet],
}
