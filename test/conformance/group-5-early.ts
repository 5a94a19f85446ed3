// Group 5, answers that are there before their requests are: each is relayed, and is the last on its connection.

import { SMUGGLED } from './cases.ts'
import { chunked, head } from './octets.ts'
import { answer, asked, bad, CHUNKED, EVIL, framed, interim, ok, relay, SURPLUS } from './response-cases.ts'
import type { ResponseCase } from './run-responses.ts'

const SLOW_POST = { request: `${asked('POST', 'Content-Length: 10')}hello`, early: true }
const beforeTheRequest: ResponseCase[] = [
  answer('a whole response before the body, which then comes', 'RFC 9112 §9.3', ok(), relay(), {
    ...SLOW_POST,
    rest: 'world',
  }),
  answer(
    'a refusal before the body, which then comes',
    'RFC 9110 §15.5.14',
    head('HTTP/1.1 413 Too Large', 'Content-Length: 0'),
    relay({ status: 413, body: '' }),
    { ...SLOW_POST, rest: 'world' },
  ),
  answer(
    'a refusal and FIN before the body',
    'RFC 9112 §9.6',
    [head('HTTP/1.1 413 Too Large', 'Connection: close', 'Content-Length: 0'), 'FIN'],
    relay({ status: 413, body: '' }),
    { ...SLOW_POST, rest: 'world' },
  ),
  answer('two responses before the body', SURPLUS, ok() + EVIL, relay(), {
    ...SLOW_POST,
    rest: 'world',
    spoilt: true,
  }),
  answer('a malformed response before the body', 'RFC 9112 §4', 'HTTP/1.1 OK\r\n\r\n', bad(), {
    ...SLOW_POST,
    rest: 'world',
  }),
  answer('FIN before the body', 'RFC 9110 §15.6.3', 'FIN', bad(), { ...SLOW_POST, rest: 'world' }),
  answer('RST before the body', 'RFC 9110 §15.6.3', 'RST', bad(), { ...SLOW_POST, rest: 'world' }),
]

// An answer that is complete before its request is: the upstream may await the rest, or have done with it, and nobody can
// tell. So nothing of the rest may reach it, nor any other request on that connection (docs/decisions/0006).
const BODIES = {
  'a length': [`Content-Length: ${SMUGGLED.length}`, SMUGGLED],
  chunks: [CHUNKED, chunked([SMUGGLED])],
} as const
/** What the client has sent of its body when the answer comes. */
const BEGUN = { none: 0, 'half of it': 15 } as const

const outstanding: ResponseCase[] = Object.entries(BODIES).flatMap(([framing, [line, body]]) =>
  [true, false].flatMap((expects) =>
    Object.entries(BEGUN).flatMap(([begun, sent]) =>
      [true, false].flatMap((heedless) =>
        (['before', 'behind'] as const).flatMap((victim) =>
          (
            [
              ['200', ok(), {}],
              ['200 in chunks', framed(CHUNKED) + chunked(['hello']), {}],
              ['204', head('HTTP/1.1 204 No Content'), { status: 204, body: '' }],
              ['417', head('HTTP/1.1 417 No', 'Content-Length: 0'), { status: 417, body: '' }],
              ['100 and 200', interim(100) + ok(), { interims: [100] }],
            ] as const
          ).map(([what, response, expected]) =>
            answer(
              `${what} before ${framing}${expects ? ' that was expected' : ''}, ${begun} sent, to an upstream that ${heedless ? 'awaits none' : 'awaits it'}; a victim ${victim} the rest`,
              'RFC 9110 §10.1.1, RFC 9112 §9.3',
              response,
              relay(expected),
              {
                request: `${asked('POST', ...(expects ? ['Expect: 100-continue'] : []), line)}${body.slice(0, sent)}`,
                early: true,
                heedless,
                rest: body.slice(sent),
                victim,
                spoilt: true,
              },
            ),
          ),
        ),
      ),
    ),
  ),
)

/** Everything about answers that come before their requests are complete. */
export const earlyAnswers: readonly ResponseCase[] = [...beforeTheRequest, ...outstanding]
