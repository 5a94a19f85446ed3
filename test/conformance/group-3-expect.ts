// Group 3, expectations (RFC 9110 §10.1.1): who waits for whom decides where a body is, so what is not plainly said is
// refused. An upstream that answers early, with a body outstanding, is in group 5.

import { type Case, forward, get, HOST, one, post, refuse, SMUGGLED } from './cases.ts'
import { chunked, head, octetsOf } from './octets.ts'

const EXPECT = 'RFC 9110 §10.1.1'
const SAID = '100-continue'
const LENGTH = 'Content-Length: 5'
const CHUNKED = 'Transfer-Encoding: chunked'
const HIDDEN = `Content-Length: ${SMUGGLED.length}`

/** Said anew, in one spelling. */
const said: Case[] = [
  ...[SAID, '100-Continue', '100-CONTINUE', `\t${SAID}`, ` ${SAID} \t`].flatMap((value) => [
    one(
      `Expect: ${JSON.stringify(value)} with a length`,
      `${post(`Expect:${value}`, LENGTH)}hello`,
      EXPECT,
      forward({ body: 'hello', expects: SAID, fields: [] }),
    ),
    one(
      `Expect: ${JSON.stringify(value)} with chunks`,
      post(`Expect:${value}`, CHUNKED) + chunked(['hello']),
      EXPECT,
      forward({ body: 'hello', expects: SAID, fields: [] }),
    ),
  ]),
  ...['GET', 'HEAD', 'DELETE', 'OPTIONS', 'PUT', 'QUERY'].map((method) =>
    one(
      `Expect in ${method} with a request for a body`,
      head(`${method} /case HTTP/1.1`, HOST, `Expect: ${SAID}`, HIDDEN) + SMUGGLED,
      EXPECT,
      forward({ method, body: SMUGGLED, expects: SAID }),
    ),
  ),
  one(
    'Expect behind the length',
    `${post(LENGTH, `Expect: ${SAID}`)}hello`,
    EXPECT,
    forward({ body: 'hello', expects: SAID }),
  ),
  one(
    'Expect with a blank behind the length',
    `${post(`Expect: ${SAID}`, 'Content-Length: 5 ')}hello`,
    EXPECT,
    forward({ body: 'hello', expects: SAID }),
  ),
  one(
    'EXPECT',
    `${post(`EXPECT: ${SAID}`, LENGTH)}hello`,
    'RFC 9110 §5.1',
    forward({ body: 'hello', expects: SAID }),
  ),
  ...['X-Expect', 'Expects', 'Expect_', 'Expect-CT'].map((name) =>
    one(
      `${name} is an ordinary field`,
      `${post(`${name}: y`, LENGTH)}hello`,
      'RFC 9110 §5.1',
      forward({ body: 'hello', expects: undefined, fields: [[name, 'y']] }),
    ),
  ),
]

/** Dropped where there is nothing to wait with, or nobody who could. */
const dropped: Case[] = [
  ...['GET', 'HEAD', 'DELETE', 'OPTIONS', 'POST'].flatMap((method) => [
    one(
      `Expect in ${method} without a body`,
      head(`${method} /case HTTP/1.1`, HOST, `Expect: ${SAID}`),
      EXPECT,
      forward({ method, body: '', expects: undefined, fields: [] }),
    ),
    one(
      `Expect in ${method} with a length of 0`,
      head(`${method} /case HTTP/1.1`, HOST, `Expect: ${SAID}`, 'Content-Length: 0'),
      EXPECT,
      forward({ method, framing: 'length 0', expects: undefined, fields: [] }),
    ),
    one(
      `Expect in ${method} of HTTP/1.0 with a length`,
      `${head(`${method} /case HTTP/1.0`, HOST, `Expect: ${SAID}`, LENGTH)}hello`,
      EXPECT,
      forward({ method, body: 'hello', expects: undefined, fields: [] }),
    ),
  ]),
  one(
    'Expect in trailers',
    post(CHUNKED) + chunked(['hello'], `X-A: 1\r\nExpect: ${SAID}\r\nExpect: x\r\n`),
    'RFC 9110 §6.5.1',
    forward({ body: 'hello', expects: undefined, trailers: [['X-A', '1']] }),
  ),
]

/** Values that one reader may take for the expectation, and another may not. */
const OTHERS = [
  '',
  'y 100-continue',
  '100-continue y',
  '100-continue, x',
  'x, 100-continue',
  'x,100-continue',
  '100-continue, 100-continue',
  '100-continue,',
  ',100-continue',
  ', 100-continue',
  ',',
  '100-continue;a=b',
  '100-continue;',
  '100-continue=y',
  '"100-continue"',
  '100 -continue',
  '100- continue',
  '100 continue',
  '100continue',
  '100_continue',
  '100-continues',
  '100-continu',
  '100-',
  '100',
  '0100-continue',
  '+100-continue',
  '101-continue',
  '200-ok',
  'x',
  '100-\xa0continue',
  '100-continue\xa0',
  '\xa0100-continue',
  '100-continue\x85',
  '100\xadcontinue',
  octetsOf('100‐continue'), // U+2010
  octetsOf('\u{feff}100-continue'),
  `100-continue${'x'.repeat(4000)}`,
]

const refused: Case[] = [
  ...OTHERS.flatMap((value) => {
    const line = `Expect: ${value}`
    const name = `Expect: ${JSON.stringify(value.slice(0, 30))}`
    return [
      one(`${name} with a length`, `${post(line, LENGTH)}hello`, EXPECT, refuse(417)),
      one(`${name} with a request for a body`, post(line, HIDDEN) + SMUGGLED, EXPECT, refuse(417)),
      one(`${name} with chunks`, post(line, CHUNKED) + chunked([SMUGGLED]), EXPECT, refuse(417)),
      one(`${name} without a body`, get(line), EXPECT, refuse(417)),
      one(
        `${name} in HTTP/1.0`,
        head('POST /case HTTP/1.0', HOST, line, HIDDEN) + SMUGGLED,
        EXPECT,
        refuse(417),
      ),
    ]
  }),
  ...[
    [SAID, SAID],
    [SAID, ''],
    ['', SAID],
    [SAID, 'x'],
    ['x', SAID],
    ['', ''],
  ].map(([first, second]) =>
    one(
      `Expect: ${first} and Expect: ${second}`,
      post(`Expect: ${first}`, `expect: ${second}`, HIDDEN) + SMUGGLED,
      EXPECT,
      refuse(417),
    ),
  ),
  ...[
    ['a blank before the colon', `Expect : ${SAID}`, 'RFC 9112 §5.1'],
    ['a tab before the colon', `Expect\t: ${SAID}`, 'RFC 9112 §5.1'],
    ['obs-fold before the value', `Expect:\r\n ${SAID}`, 'RFC 9112 §5.2'],
    ['obs-fold behind the value', `Expect: ${SAID}\r\n `, 'RFC 9112 §5.2'],
    ['obs-fold within the value', 'Expect: 100-\r\n continue', 'RFC 9112 §5.2'],
    ['a bare LF behind it', `Expect: ${SAID}\nX-A: b`, 'RFC 9112 §2.2'],
    ['a bare CR behind it', `Expect: ${SAID}\rX-A: b`, 'RFC 9112 §2.2'],
    ['NUL behind it', `Expect: ${SAID}\0`, 'RFC 9110 §5.5'],
    ['VT before it', `Expect: \x0b${SAID}`, 'RFC 9110 §5.5'],
    ['FF behind it', `Expect: ${SAID}\x0c`, 'RFC 9110 §5.5'],
    ['DEL in it', 'Expect: 100\x7fcontinue', 'RFC 9110 §5.5'],
  ].map(([what, line, rfc]) => one(`Expect with ${what}`, post(line!, HIDDEN) + SMUGGLED, rfc!, refuse(400))),
  one(
    'Expect with two lengths',
    post(`Expect: ${SAID}`, 'Content-Length: 0', HIDDEN) + SMUGGLED,
    'RFC 9112 §6.3',
    refuse(400),
  ),
  one(
    'Expect with both framings',
    post(`Expect: ${SAID}`, HIDDEN, CHUNKED) + SMUGGLED,
    'RFC 9112 §6.3',
    refuse(400),
  ),
]

/** Everything about Expect. */
export const expectations: readonly Case[] = [...said, ...dropped, ...refused]
