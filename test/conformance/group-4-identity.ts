// Group 4, hop-by-hop fields (RFC 9110 §7.6.1) and identity: what a client says for this hop goes no further, what only
// signet may say a client can neither say, in any spelling, nor take away. Every forwarded request is also checked for
// exactly one x-my-jwt line, signed with the secret of this run (`meaning.ts`).

import {
  type Case,
  either,
  forward,
  get,
  type Group,
  HOST,
  one,
  post,
  refuse,
  refuseAndKeep,
  slowly,
} from './cases.ts'
import { ALL_OCTETS, chunked, head, nameOf, octet } from './octets.ts'
import type { Field } from './strict-grammar.ts'

const HOP = 'RFC 9110 §7.6.1'
const passing = (...fields: Field[]) => forward({ fields })

const nominations: Case[] = [
  one('Connection names a field', get('Connection: X-A', 'X-A: 1', 'X-B: 2'), HOP, passing(['X-B', '2'])),
  one(
    'Connection names a field that came before it',
    get('X-A: 1', 'Connection: X-A', 'X-B: 2'),
    HOP,
    passing(['X-B', '2']),
  ),
  one('Connection names a field in another case', get('Connection: x-a', 'X-A: 1', 'x-A: 2'), HOP, passing()),
  one(
    'Connection names a field that comes many times',
    get('Connection: X-A', ...Array.from({ length: 50 }, () => 'X-A: 1'), 'X-B: 2'),
    HOP,
    passing(['X-B', '2']),
  ),
  one(
    'Connection names several fields',
    get('Connection: X-A, X-B,X-C', 'X-A: 1', 'X-B: 2', 'X-C: 3', 'X-D: 4'),
    HOP,
    passing(['X-D', '4']),
  ),
  one(
    'Connection in several lines',
    get('Connection: X-A', 'X-A: 1', 'connection: X-B', 'X-B: 2', 'X-C: 3'),
    HOP,
    passing(['X-C', '3']),
  ),
  one(
    'Connection with empty members',
    get('Connection: , ,X-A,, ,', 'X-A: 1', 'X-B: 2'),
    'RFC 9110 §5.6.1',
    passing(['X-B', '2']),
  ),
  one(
    'Connection with tabs in the list',
    get('Connection:\tX-A\t,\tX-B\t', 'X-A: 1', 'X-B: 2'),
    'RFC 9110 §5.6.1',
    passing(),
  ),
  one('an empty Connection', get('Connection:', 'X-A: 1'), HOP, passing(['X-A', '1'])),
  one('Connection of commas', get('Connection: ,,,', 'X-A: 1'), HOP, passing(['X-A', '1'])),
  one(
    'Connection names a field that is not there',
    get('Connection: X-Z', 'X-A: 1'),
    HOP,
    passing(['X-A', '1']),
  ),
  one(
    'Connection: close and a name',
    get('Connection: close, X-A', 'X-A: 1', 'X-B: 2'),
    HOP,
    passing(['X-B', '2']),
  ),
  one(
    'Connection: keep-alive and a name',
    get('Connection: keep-alive, X-A', 'X-A: 1', 'X-B: 2'),
    HOP,
    passing(['X-B', '2']),
  ),
  one('Connection: CLOSE', get('Connection: CLOSE', 'X-A: 1'), 'RFC 9112 §9.6', passing(['X-A', '1'])),
  one(
    'Connection: close takes a field of that name along',
    get('Connection: close', 'Close: 1', 'X-A: 2'),
    HOP,
    passing(['X-A', '2']),
  ),
  one('Connection names a longer name', get('Connection: X-AB', 'X-A: 1'), HOP, passing(['X-A', '1'])),
  one('Connection names a shorter name', get('Connection: X-A', 'X-AB: 1'), HOP, passing(['X-AB', '1'])),
  one('Connection names another spelling', get('Connection: X_A', 'X-A: 1'), HOP, passing(['X-A', '1'])),
  one('Connection names itself', get('Connection: Connection, X-A', 'X-A: 1'), HOP, passing()),
  one(
    'Connection names 500 fields',
    get(
      `Connection: ${Array.from({ length: 500 }, (_, index) => `X-${index}`).join()}`,
      'X-1: 1',
      'X-499: 2',
      'X-500: 3',
    ),
    HOP,
    passing(['X-500', '3']),
  ),
  one('Proxy-Connection names nothing', get('Proxy-Connection: X-A', 'X-A: 1'), HOP, passing(['X-A', '1'])),
  one('Proxy-Connection: close closes nothing', get('Proxy-Connection: close'), 'RFC 9112 §C.2.2', passing()),
  ...['"X-A"', 'X-A;q=1', 'X-A X-B', 'X-A=1', '*', 'X-*', 'X-A:', '(X-A)'].map((value) =>
    one(
      `Connection: ${value} names no field`,
      get(`Connection: ${value}`, 'X-A: 1'),
      HOP,
      either({ fields: [['X-A', '1']] }),
    ),
  ),
  ...['Connection_', 'X-Connection', 'Connections'].map((name) =>
    one(
      `${name} is an ordinary field`,
      get(`${name}: X-A`, 'X-A: 1'),
      'RFC 9110 §5.1',
      passing([name, 'X-A'], ['X-A', '1']),
    ),
  ),
  one(
    'Connection in HTTP/1.0',
    head('GET /case HTTP/1.0', HOST, 'Connection: X-A', 'X-A: 1', 'X-B: 2'),
    HOP,
    passing(['X-B', '2']),
  ),
  // Meant for every recipient: a sender must not name them, and signet does not let a client take them from a hop before.
  ...[
    ['Authorization', 'Basic YTpi'],
    ['Cookie', 'a=b'],
    ['Cache-Control', 'no-store'],
    ['Content-Type', 'text/plain'],
    ['Content-Encoding', 'gzip'],
    ['Range', 'bytes=0-1'],
    ['Via', '1.1 before'],
    ['Date', 'Sun, 06 Nov 1994 08:49:37 GMT'],
  ].map(([name, value]) =>
    one(
      `Connection names ${name}, which stays`,
      get(`Connection: ${name}`, `${name}: ${value}`),
      HOP,
      passing([name!, value!]),
    ),
  ),
  one(
    'Connection names Expect, which stays',
    `${post('Connection: Expect', 'Expect: 100-continue', 'Content-Length: 5')}hello`,
    HOP,
    forward({ body: 'hello', expects: '100-continue' }),
  ),
  // What signet says itself, or decides by, cannot be named away.
  one('Connection names Host', get('Connection: Host'), HOP, forward({ host: 'origin.test' })),
  one(
    'Connection names Content-Length',
    `${post('Connection: Content-Length', 'Content-Length: 5')}hello`,
    HOP,
    forward({ framing: 'length 5', body: 'hello' }),
  ),
  one(
    'Connection names Content-Length of 0',
    post('Connection: Content-Length', 'Content-Length: 0'),
    HOP,
    forward({ framing: 'length 0' }),
  ),
  one(
    'Connection names Transfer-Encoding',
    post('Connection: Transfer-Encoding', 'Transfer-Encoding: chunked') + chunked(['hello']),
    HOP,
    forward({ framing: 'chunked', body: 'hello' }),
  ),
  ...[
    'x-my-jwt',
    'X-MY-JWT',
    'X_My_Jwt',
    'X-Forwarded-For',
    'X-Forwarded-Host',
    'X-Forwarded-Proto',
    'Forwarded',
    'Via',
    'Host',
    'X-Real-IP',
  ].flatMap((name) => [
    one(
      `Connection names ${name}, which the client did not send`,
      get(`Connection: ${name}`),
      HOP,
      passing(),
    ),
    one(`Connection: close names ${name} too`, get(`Connection: close, ${name}`), HOP, passing()),
  ]),
  ...['x-my-jwt', 'X-Forwarded-For', 'X-Forwarded-Host', 'X-Forwarded-Proto', 'Forwarded', 'X-Real-IP'].map(
    (name) =>
      one(
        `Connection names ${name}, which the client did send`,
        get(`Connection: ${name}`, `${name}: forged`),
        HOP,
        passing(),
      ),
  ),
  one(
    'Connection names everything at once',
    `${post('Connection: Host, Content-Length, x-my-jwt, X-Forwarded-For, Forwarded, Via, Authorization, X-A, close', 'Content-Length: 5', 'Authorization: Basic YTpi', 'X-A: 1')}hello`,
    HOP,
    forward({ host: 'origin.test', body: 'hello', fields: [['Authorization', 'Basic YTpi']] }),
  ),
]

const hopByHop: Case[] = [
  ...[
    'Keep-Alive: timeout=5, max=100',
    'Keep-Alive:',
    'Proxy-Connection: keep-alive',
    'Proxy-Authorization: Basic YTpi',
    'Proxy-Authenticate: Basic',
    'Proxy-Authentication-Info: a=b',
    'Proxy: http://attacker.test',
    'Trailer: X-A',
    'Trailer: x-my-jwt',
    'HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA',
  ].flatMap((line) => [
    one(`${line} goes no further`, get('X-A: 1', line, 'X-B: 2'), HOP, passing(['X-A', '1'], ['X-B', '2'])),
    one(
      `${line} goes no further, named or not`,
      get(`Connection: ${line.split(':')[0]}`, line),
      HOP,
      passing(),
    ),
    one(`${line.toUpperCase()} goes no further`, get(line.toUpperCase()), HOP, passing()),
  ]),
  ...(
    [
      ['trailers', true],
      ['Trailers', true],
      ['gzip, trailers', true],
      ['trailers, deflate;q=0.5', true],
      ['gzip', false],
      ['', false],
      ['trailersx', false],
      ['x-trailers', false],
    ] as const
  ).flatMap(([value, takesTrailers]) => [
    one(
      `TE: ${value}, named`,
      get('Connection: TE', `TE: ${value}`),
      'RFC 9110 §10.1.4',
      forward({ takesTrailers, fields: [] }),
    ),
    one(
      `TE: ${value} in HTTP/1.0`,
      head('GET /case HTTP/1.0', HOST, 'Connection: TE', `TE: ${value}`),
      'RFC 9110 §10.1.4',
      forward({ takesTrailers: false, fields: [] }),
    ),
  ]),
  one(
    'TE in two lines',
    get('Connection: TE', 'TE: gzip', 'TE: trailers'),
    'RFC 9110 §10.1.4',
    forward({ takesTrailers: true }),
  ),
  one('Connection names TE without TE', get('Connection: TE'), HOP, forward({ takesTrailers: false })),
]

/** Octets of a name that CGI, WSGI and PHP turn into an underscore. */
const SEPARATORS = ALL_OCTETS.map(octet).filter((text) => /[!#$%&'*+\-.^_`|~]/.test(text))

/** Names that are between a client and a proxy it knows of, or that may be folded onto one. */
const FOR_PROXIES = [
  'Proxy',
  'Proxy-',
  'Proxy-Authorization',
  'Proxy-Authenticate',
  'Proxy-Authentication-Info',
  'Proxy-Connection',
  'Proxy-Features',
  'Proxy-Instruction',
  'Proxy-Status',
  'Proxy-Anything-At-All',
  `Proxy-${'a'.repeat(200)}`,
  ...SEPARATORS.flatMap((text) => [
    `Proxy${text}`,
    `Proxy${text}Authorization`,
    `proxy${text}connection`,
    `Proxy${text}X${text}Y`,
  ]),
]

const forProxies: Case[] = [
  ...FOR_PROXIES.flatMap((name) => {
    const short = name.slice(0, 40)
    return [
      one(
        `${short} goes no further`,
        get('X-A: 1', `${name}: http://attacker.test`, 'X-B: 2'),
        HOP,
        passing(['X-A', '1'], ['X-B', '2']),
      ),
      one(
        `${name.toUpperCase().slice(0, 40)} goes no further`,
        get(`${name.toUpperCase()}: a`),
        HOP,
        passing(),
      ),
      one(
        `${short} in trailers goes no further`,
        post('Transfer-Encoding: chunked') +
          chunked(['hello'], `X-A: 1\r\n${name}: a\r\n${name.toLowerCase()}: b\r\nX-B: 2\r\n`),
        HOP,
        forward({
          body: 'hello',
          trailers: [
            ['X-A', '1'],
            ['X-B', '2'],
          ],
        }),
      ),
    ]
  }),
  one(
    'Proxy in HTTP/1.0',
    head('GET /case HTTP/1.0', HOST, 'Proxy: http://attacker.test'),
    'RFC 3875 §4.1.18',
    passing(),
  ),
  one('Proxy twice, and empty', get('Proxy: a', 'proxy:', 'PROXY: b'), 'RFC 3875 §4.1.18', passing()),
  one('ninety of them at once', get(...FOR_PROXIES.slice(0, 90).map((name) => `${name}: a`)), HOP, passing()),
  // Nothing folds these onto one of them.
  ...[
    'Proxies',
    'ProxyAuthorization',
    'Prox-y',
    'X-Proxy',
    'X-Proxy-Authorization',
    'HTTP-Proxy',
    '-Proxy',
  ].map((name) =>
    one(`${name} is an ordinary field`, get(`${name}: 1`), 'RFC 9110 §5.1', passing([name, '1'])),
  ),
]

const upgrades: Case[] = [
  one(
    'Upgrade with Connection: upgrade',
    get('Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Key: a'),
    'RFC 9110 §7.8',
    forward({ upgrade: 'websocket', fields: [['Sec-WebSocket-Key', 'a']] }),
  ),
  one(
    'Upgrade in another case',
    get('Connection: keep-alive, UPGRADE', 'Upgrade: WebSocket'),
    'RFC 9110 §7.8',
    forward({ upgrade: 'websocket' }),
  ),
  ...['websocket', 'h2c', 'HTTP/2.0', 'TLS/1.0'].map((protocol) =>
    one(
      `Upgrade: ${protocol} without Connection: upgrade`,
      get(`Upgrade: ${protocol}`),
      'RFC 9110 §7.8',
      forward({ upgrade: undefined, fields: [] }),
    ),
  ),
  ...['websocket', 'h2c'].map((protocol) =>
    one(
      `Upgrade: ${protocol} with Connection: close`,
      get('Connection: close', `Upgrade: ${protocol}`),
      'RFC 9110 §7.8',
      forward({ upgrade: undefined, fields: [] }),
    ),
  ),
  ...[
    'h2c',
    'h2',
    'HTTP/2.0',
    'TLS/1.0',
    'SSH',
    'foo',
    'websocket, h2c',
    'h2c, websocket',
    'websocket/13',
    'websocketx',
    '',
  ].map((protocol) =>
    one(
      `Upgrade: ${protocol} becomes no tunnel`,
      get('Connection: Upgrade', `Upgrade: ${protocol}`),
      'RFC 9110 §7.8',
      forward({ upgrade: undefined, fields: [] }),
    ),
  ),
  one(
    'h2c as it is asked for',
    get('Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA'),
    'RFC 9113 §3.1',
    forward({ upgrade: undefined, fields: [] }),
  ),
  one(
    'Upgrade in two lines',
    get('Connection: Upgrade', 'Upgrade: websocket', 'Upgrade: h2c'),
    'RFC 9110 §7.8',
    forward({ upgrade: undefined, fields: [] }),
  ),
  one(
    'Upgrade in HTTP/1.0',
    head('GET /case HTTP/1.0', HOST, 'Connection: Upgrade', 'Upgrade: websocket'),
    'RFC 9110 §7.8',
    forward({ upgrade: undefined, fields: [] }),
  ),
  ...['HEAD', 'POST', 'OPTIONS', 'PUT', 'DELETE'].map((method) =>
    one(
      `Upgrade in ${method}`,
      head(`${method} /case HTTP/1.1`, HOST, 'Connection: Upgrade', 'Upgrade: websocket'),
      'RFC 6455 §4.1',
      forward({ method, upgrade: undefined, fields: [] }),
    ),
  ),
  one(
    'Upgrade with a body',
    `${post('Connection: Upgrade', 'Upgrade: websocket', 'Content-Length: 5')}hello`,
    'RFC 9110 §7.8',
    forward({ upgrade: undefined, body: 'hello' }),
  ),
  one(
    'Connection: upgrade without Upgrade',
    get('Connection: Upgrade'),
    'RFC 9110 §7.8',
    forward({ upgrade: undefined, fields: [] }),
  ),
  one(
    'Proxy-Connection: upgrade',
    get('Proxy-Connection: Upgrade', 'Upgrade: websocket'),
    'RFC 9110 §7.8',
    forward({ upgrade: undefined, fields: [] }),
  ),
]

// ── identity ──────────────────────────────────────────────────────────────────────────────────────────────────────────

const IDENTITY = 'DESIGN §7.3'
/** Every spelling that may be folded onto the token's name. */
const SPELLINGS = SEPARATORS.flatMap((first) => SEPARATORS.map((second) => `x${first}my${second}jwt`))
const FORGED = 'eyJhbGciOiJub25lIn0.eyJwYXlsb2FkIjp7InVzZXIiOiJyb290In19.'

const tokens: Case[] = [
  one('no token of the client', get(), IDENTITY, passing()),
  ...SPELLINGS.flatMap((name) => [
    one(
      `${name} goes no further`,
      get('X-A: 1', `${name}: ${FORGED}`, 'X-B: 2'),
      IDENTITY,
      passing(['X-A', '1'], ['X-B', '2']),
    ),
    one(
      `${name.toUpperCase()} goes no further`,
      get(`${name.toUpperCase()}: ${FORGED}`),
      IDENTITY,
      passing(),
    ),
    one(
      `${name} in trailers goes no further`,
      `${post('Transfer-Encoding: chunked')}5\r\nhello\r\n0\r\nX-A: 1\r\n${name}: ${FORGED}\r\nX-B: 2\r\n\r\n`,
      IDENTITY,
      forward({
        body: 'hello',
        trailers: [
          ['X-A', '1'],
          ['X-B', '2'],
        ],
      }),
    ),
  ]),
  ...['x-my-jwt', 'X-My-Jwt', 'X-MY-JWT', 'x-mY-jWt', 'X_MY_JWT', 'x_My-JWT', 'x.my_jwt'].flatMap((name) => [
    one(`${name} in HTTP/1.0`, head('GET /case HTTP/1.0', HOST, `${name}: ${FORGED}`), IDENTITY, passing()),
    one(`${name} before Host`, head('GET /case HTTP/1.1', `${name}: ${FORGED}`, HOST), IDENTITY, passing()),
    one(`${name} twice`, get(`${name}: a`, `${name}: b`), IDENTITY, passing()),
    one(`${name} empty`, get(`${name}:`), IDENTITY, passing()),
    one(`${name} with obs-text`, get(`${name}: \xff`), IDENTITY, passing()),
    one(`${name} of 8,000 octets`, get(`${name}: ${'a'.repeat(8000)}`), IDENTITY, passing()),
    one(
      `${name} in an absolute-form`,
      head('GET http://origin.test/case HTTP/1.1', HOST, `${name}: ${FORGED}`),
      IDENTITY,
      passing(),
    ),
    one(
      `${name} with a body`,
      `${post(`${name}: ${FORGED}`, 'Content-Length: 5')}hello`,
      IDENTITY,
      forward({ body: 'hello', fields: [] }),
    ),
    one(`${name} in every one of three requests`, get(`${name}: ${FORGED}`).repeat(3), IDENTITY, passing()),
  ]),
  one(
    'ninety spellings at once',
    get(...SPELLINGS.slice(0, 90).map((name) => `${name}: ${FORGED}`)),
    IDENTITY,
    passing(),
  ),
  one(
    'ninety spellings at once in trailers',
    `${post('Transfer-Encoding: chunked')}0\r\n${SPELLINGS.slice(100, 190)
      .map((name) => `${name}: ${FORGED}\r\n`)
      .join('')}\r\n`,
    IDENTITY,
    forward({ trailers: [] }),
  ),
  one(
    'spellings between good fields',
    get('X-A: 1', 'x-my-jwt: a', 'X-B: 2', 'X_My_Jwt: b', 'X-C: 3', 'X.My.Jwt: c'),
    IDENTITY,
    passing(['X-A', '1'], ['X-B', '2'], ['X-C', '3']),
  ),
  one(
    'Trailer announces it',
    `${post('Transfer-Encoding: chunked', 'Trailer: x-my-jwt')}5\r\nhello\r\n0\r\nx-my-jwt: ${FORGED}\r\n\r\n`,
    IDENTITY,
    forward({ trailers: [], fields: [] }),
  ),
  // Nothing folds these onto it.
  ...[
    'xmyjwt',
    'x-myjwt',
    'x-my-jwts',
    'x-my-jwt-',
    '-x-my-jwt',
    'x--my-jwt',
    'x-my-jwt2',
    'my-jwt',
    'x-my',
    'y-my-jwt',
    'x-my-jw',
  ].map((name) =>
    one(`${name} is an ordinary field`, get(`${name}: 1`), 'RFC 9110 §5.1', passing([name, '1'])),
  ),
  // What is no name at all is refused, wherever an upstream might cut it off.
  ...ALL_OCTETS.filter((value) => !/[!#$%&'*+\-.^_`|~0-9A-Za-z:]/.test(octet(value))).flatMap((value) => [
    one(
      `x-my-jwt with ${nameOf(value)} behind it`,
      get(`x-my-jwt${octet(value)}: ${FORGED}`),
      'RFC 9110 §5.1',
      refuse(400),
    ),
    one(
      `x-my-jwt with ${nameOf(value)} before it`,
      get(`${octet(value)}x-my-jwt: ${FORGED}`),
      'RFC 9110 §5.1',
      refuse(400),
    ),
    one(
      `x-my-jwt with ${nameOf(value)} in it`,
      get(`x-my${octet(value)}jwt: ${FORGED}`),
      'RFC 9110 §5.1',
      refuse(400),
    ),
  ]),
]

const FORWARDING = [
  'X-Forwarded-For',
  'X-Forwarded-Host',
  'X-Forwarded-Proto',
  'X-Forwarded-Port',
  'X-Forwarded-Server',
  'X-Forwarded-By',
  'X-Forwarded-Scheme',
  'X-Forwarded-Prefix',
  'X-Forwarded-User',
  'X-Forwarded-Email',
  'X-Forwarded-Client-Cert',
  'X-Forwarded-Anything-At-All',
  'Forwarded',
  'X-Real-IP',
]

const forwarding: Case[] = [
  ...FORWARDING.flatMap((name) =>
    [
      name,
      name.toLowerCase(),
      name.toUpperCase(),
      name.replaceAll('-', '_'),
      name.replaceAll('-', '.'),
      name.replace('-', '_'),
    ].map((spelling) =>
      one(
        `${spelling} of a client goes no further`,
        get('X-A: 1', `${spelling}: 192.0.2.1`, 'X-B: 2'),
        IDENTITY,
        passing(['X-A', '1'], ['X-B', '2']),
      ),
    ),
  ),
  ...FORWARDING.map((name) =>
    one(`${name} twice goes no further`, get(`${name}: a`, `${name}: b`), IDENTITY, passing()),
  ),
  one(
    'Via of hops before stays, in order',
    get('Via: 1.0 one, 1.1 two', 'Via: 1.1 three'),
    'RFC 9110 §7.6.3',
    passing(['Via', '1.0 one, 1.1 two'], ['Via', '1.1 three']),
  ),
  one(
    'Via of another signet',
    get('Via: 1.1 signet-00000000'),
    'RFC 9110 §7.6.3',
    passing(['Via', '1.1 signet-00000000']),
  ),
  ...[
    'Authorization',
    'Cookie',
    'X-Request-Id',
    'Traceparent',
    'X-Client-IP',
    'Origin',
    'Referer',
    'User-Agent',
  ].map((name) => one(`${name} passes`, get(`${name}: a b=c`), 'RFC 9110 §5.1', passing([name, 'a b=c']))),
]

const maxForwards: Case[] = [
  one(
    'OPTIONS with Max-Forwards: 0 is answered here',
    head('OPTIONS /case HTTP/1.1', HOST, 'Max-Forwards: 0'),
    'RFC 9110 §7.6.2',
    refuseAndKeep(200),
  ),
  one(
    'OPTIONS with Max-Forwards: 5',
    head('OPTIONS /case HTTP/1.1', HOST, 'Max-Forwards: 5'),
    'RFC 9110 §7.6.2',
    forward({ maxForwards: '4' }),
  ),
  one(
    'OPTIONS * with Max-Forwards: 1',
    head('OPTIONS * HTTP/1.1', HOST, 'Max-Forwards: 1'),
    'RFC 9110 §7.6.2',
    forward({ maxForwards: '0' }),
  ),
  ...['', '-1', '+1', 'a', '1.0', '1, 2', '0x1'].map((value) =>
    one(
      `OPTIONS with Max-Forwards: ${value}`,
      head('OPTIONS /case HTTP/1.1', HOST, `Max-Forwards: ${value}`),
      'RFC 9110 §7.6.2',
      refuse(400),
    ),
  ),
  one(
    'OPTIONS with two Max-Forwards',
    head('OPTIONS /case HTTP/1.1', HOST, 'Max-Forwards: 5', 'Max-Forwards: 5'),
    'RFC 9110 §5.3',
    refuse(400),
  ),
  one('GET with Max-Forwards: 0', get('Max-Forwards: 0'), 'RFC 9110 §7.6.2', passing()),
  one(
    'TRACE with Max-Forwards: 0',
    head('TRACE /case HTTP/1.1', HOST, 'Max-Forwards: 0'),
    'RFC 9110 §9.3.8',
    refuseAndKeep(200, 501),
  ),
]

/** The same once more, an octet a write. */
const octetByOctet: Case[] = [...nominations.slice(0, 6), ...tokens.slice(0, 6)].map(slowly)

/** Group 4. */
export const identity: Group = {
  name: '4 identity',
  cases: [
    ...nominations,
    ...hopByHop,
    ...forProxies,
    ...upgrades,
    ...tokens,
    ...forwarding,
    ...maxForwards,
    ...octetByOctet,
  ],
}
