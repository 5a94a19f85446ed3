// Group 1, the request line (RFC 9112 §3): methods, targets in four forms, versions, blanks, empty lines, length.

import {
  type Case,
  cutOff,
  either,
  forward,
  type Group,
  get,
  HOST,
  one,
  refuse,
  refuseAndKeep,
  slowly,
} from './cases.ts'
import { ALL_OCTETS, head, nameOf, octet, utf8 } from './octets.ts'

/** Methods that signet knows (docs/decisions/0004): each must pass. */
const METHODS =
  'GET HEAD POST PUT DELETE OPTIONS PATCH COPY LOCK MKCOL MOVE PROPFIND PROPPATCH SEARCH UNLOCK BIND REBIND UNBIND ACL ' +
  'REPORT MKACTIVITY CHECKOUT MERGE M-SEARCH NOTIFY SUBSCRIBE UNSUBSCRIBE PURGE MKCALENDAR LINK UNLINK QUERY'

const TOKEN = /[!#$%&'*+\-.^_`|~0-9A-Za-z]/
/** RFC 3986 §3.3 and §3.4, and what browsers leave as it is (docs/decisions/0004). */
const PATH_OCTET = /[A-Za-z0-9\-._~!$&'()*+,;=:@/|[\]]/
const QUERY_OCTET = /[A-Za-z0-9\-._~!$&'()*+,;=:@/?|[\]^`{}\\]/

const line = (text: string, ...fields: string[]) => head(text, HOST, ...fields)

const methods: Case[] = [
  ...METHODS.split(' ').map((method) =>
    one(`method ${method} passes`, line(`${method} /case HTTP/1.1`), 'RFC 9110 §9.1', forward({ method })),
  ),
  ...['FOO', 'get', 'Get', 'gET', 'GETS', 'GE', 'GET1', 'G', "!#$%&'*+-.^_`|~", '0', 'X'.repeat(300)].map(
    (method) =>
      one(
        `unknown method ${method.slice(0, 20)}`,
        line(`${method} /case HTTP/1.1`),
        'RFC 9110 §9.1',
        refuse(501, 400),
      ),
  ),
  ...ALL_OCTETS.filter((value) => !TOKEN.test(octet(value)) && value !== 0x20).map((value) =>
    one(
      `${nameOf(value)} within the method`,
      line(`GE${octet(value)}T /case HTTP/1.1`),
      'RFC 9112 §3.1',
      refuse(400, 501, 505),
    ),
  ),
  ...ALL_OCTETS.filter((value) => value !== 0x0d && value !== 0x0a).map((value) =>
    one(
      `${nameOf(value)} before the method`,
      line(`${octet(value)}GET /case HTTP/1.1`),
      'RFC 9112 §3.1',
      refuse(400, 501, 505),
    ),
  ),
  one(
    'a method of 20,000 octets',
    line(`${'G'.repeat(20_000)} /case HTTP/1.1`),
    'RFC 9112 §3',
    refuse(400, 414, 431, 501),
  ),
  one('TRACE', line('TRACE /case HTTP/1.1'), 'RFC 9110 §9.3.8', refuseAndKeep(501)),
  one(
    'TRACE with a body',
    `${line('TRACE /case HTTP/1.1', 'Content-Length: 5')}hello`,
    'RFC 9110 §9.3.8',
    refuse(400, 501),
  ),
  ...[
    'origin.test:443',
    'origin.test',
    '/',
    'http://origin.test/',
    '*',
    'origin.test:',
    ':443',
    '[::1]:443',
    'a@b:1',
  ].map((target) =>
    one(`CONNECT ${target}`, line(`CONNECT ${target} HTTP/1.1`), 'RFC 9110 §9.3.6', refuse(400, 501)),
  ),
  one(
    'PRI, the preface of HTTP/2',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    'RFC 9113 §3.4',
    refuse(400, 501, 505),
  ),
]

const origin = (target: string) => line(`GET ${target} HTTP/1.1`)
const passes = (target: string) =>
  one(`target ${target.slice(0, 60)} passes as it is`, origin(target), 'RFC 9112 §3.2.1', forward({ target }))

const originForm: Case[] = [
  ...[
    '/',
    '//',
    '//evil.test/x',
    '/a//b',
    '/./a/../b',
    '/%2e%2e/%2E%2E/',
    '/a%2Fb%5c',
    '/%00',
    '/%0d%0aX:%20y',
    '/%C3%A9',
    '/?',
    '/??',
    '/?a=b&c=d',
    '/?a?b/c',
    '/a;b=c,d',
    '/a:b@c',
    '/http://other.test/',
    "/-._~!$&'()*+,;=:@",
    "/?-._~!$&'()*+,;=:@/?",
    '/*',
    '/+',
    '/a=b',
    `/${'a'.repeat(8191)}`,
  ].map(passes),
  ...ALL_OCTETS.flatMap((value) => {
    if (value === 0x25 || value === 0x3f) return [] // % and ? have cases of their own
    const text = octet(value)
    const allowed = (set: RegExp, target: string) =>
      set.test(text) ? forward({ target }) : refuse(400, 414, 505)
    return [
      one(
        `${nameOf(value)} in the path`,
        origin(`/a${text}b`),
        'RFC 3986 §3.3',
        allowed(PATH_OCTET, `/a${text}b`),
      ),
      one(
        `${nameOf(value)} in the query`,
        origin(`/?a${text}b`),
        'RFC 3986 §3.4',
        allowed(QUERY_OCTET, `/?a${text}b`),
      ),
    ]
  }),
  ...['/%', '/%4', '/%zz', '/%%41', '/?%', '/?a=%4', '/?%g0', '/a%u0041'].map((target) =>
    one(`broken percent-encoding ${target}`, origin(target), 'RFC 3986 §2.1', refuse(400)),
  ),
  ...['/a#b', '/#', '/a?b#c', '#', '#/a'].map((target) =>
    one(`fragment ${target}`, origin(target), 'RFC 9112 §3.2', refuse(400)),
  ),
  one('a path in UTF-8', origin(utf8('/é')), 'RFC 3986 §2', refuse(400)),
  one('a query in UTF-8', origin(utf8('/?q=é')), 'RFC 3986 §2', refuse(400)),
  ...[
    'a',
    '\\',
    '\\a',
    '\\\\evil.test\\a',
    '.',
    './a',
    '../a',
    '?',
    '?a=b',
    ';a',
    '@a',
    ':',
    ':80',
    '%2Fa',
    '~',
    '/\\a',
  ].map((target) => one(`target ${target} is of no form`, origin(target), 'RFC 9112 §3.2', refuse(400))),
]

const absolute = (target: string, ...fields: string[]) => head(`GET ${target} HTTP/1.1`, ...fields)
const absoluteForm: Case[] = [
  ...(
    [
      ['http://origin.test/x', '/x', 'origin.test'],
      ['http://other.test/x', '/x', 'other.test'],
      ['http://other.test:8080/x?y', '/x?y', 'other.test:8080'],
      ['http://other.test', '/', 'other.test'],
      ['http://other.test:80', '/', 'other.test:80'],
      ['http://other.test?q', '/?q', 'other.test'],
      ['HTTP://other.test/x', '/x', 'other.test'],
      ['hTTp://OTHER.test/X', '/X', 'OTHER.test'],
      ['http://192.0.2.1/x', '/x', '192.0.2.1'],
      ['http://[2001:db8::1]/x', '/x', '[2001:db8::1]'],
      ['http://[2001:db8::1]:8080/x', '/x', '[2001:db8::1]:8080'],
      ['http://other.test//x', '//x', 'other.test'],
      ['http://other.test/http://third.test/', '/http://third.test/', 'other.test'],
    ] as const
  ).map(([target, resource, host]) =>
    one(
      `absolute-form ${target} wins over Host`,
      absolute(target, HOST),
      'RFC 9112 §3.2.2',
      forward({ target: resource, host }),
    ),
  ),
  one(
    'absolute-form with the same Host',
    absolute('http://origin.test/x', HOST),
    'RFC 9112 §3.2.2',
    forward({ target: '/x', host: 'origin.test' }),
  ),
  one(
    'absolute-form in HTTP/1.0 without Host',
    head('GET http://other.test/x HTTP/1.0'),
    'RFC 9112 §3.2.2',
    forward({ target: '/x', host: 'other.test' }),
    { probe: false },
  ),
  ...[
    ['without Host', absolute('http://other.test/x')],
    ['with two Hosts', absolute('http://other.test/x', HOST, HOST)],
    ['with a malformed Host', absolute('http://other.test/x', 'Host: a b')],
    ['with Host and the same authority, and userinfo', absolute('http://a@origin.test/x', HOST)],
    ['with user and password', absolute('http://a:b@origin.test/x', HOST)],
    ['with an empty userinfo', absolute('http://@origin.test/x', HOST)],
    ['with two @', absolute('http://a@b@origin.test/x', HOST)],
    ['with a backslash before @', absolute('http://origin.test\\@evil.test/x', HOST)],
    ['with an empty host', absolute('http:///x', HOST)],
    ['with a port alone', absolute('http://:80/x', HOST)],
    ['with two ports', absolute('http://origin.test:80:81/x', HOST)],
    ['with a port that is no number', absolute('http://origin.test:http/x', HOST)],
    ['with a fragment', absolute('http://origin.test/x#y', HOST)],
    ['with a fragment behind the host', absolute('http://origin.test#@evil.test/', HOST)],
    ['with one slash', absolute('http:/origin.test/x', HOST)],
    ['with no slash', absolute('http:origin.test/x', HOST)],
    ['with backslashes', absolute('http:\\\\origin.test\\x', HOST)],
    ['with a broken IPv6 address', absolute('http://[::1/x', HOST)],
    ['with an IPv6 address of too many groups', absolute('http://[1:2:3:4:5:6:7:8:9]/x', HOST)],
    ['with empty brackets', absolute('http://[]/x', HOST)],
    ['with an IPv6 zone', absolute('http://[fe80::1%25eth0]/x', HOST)],
    ['with something behind the brackets', absolute('http://[::1]evil/x', HOST)],
    ['with non-ASCII in the host', absolute(utf8('http://é.test/x'), HOST)],
    ['with a control in the host', absolute('http://origin\x01.test/x', HOST)],
    ['without a scheme', absolute('://origin.test/x', HOST)],
    ['with a scheme that begins with a digit', absolute('1http://origin.test/x', HOST)],
    ['with a slash before the scheme', absolute('/http://origin.test\\x', HOST)],
  ].map(([name, octets]) =>
    one(`absolute-form ${name}`, octets!, 'RFC 9112 §3.2.2, RFC 9110 §4.2', refuse(400)),
  ),
  ...['https', 'ftp', 'ws', 'file', 'javascript', 'urn', 'httpx', 'xhttp'].map((scheme) =>
    one(
      `absolute-form with scheme ${scheme}`,
      absolute(`${scheme}://origin.test/x`, HOST),
      'RFC 9110 §7.4',
      refuse(400, 421),
    ),
  ),
]

const otherForms: Case[] = [
  one('OPTIONS *', line('OPTIONS * HTTP/1.1'), 'RFC 9112 §3.2.4', forward({ target: '*' })),
  one(
    'OPTIONS of a whole server in absolute-form',
    line('OPTIONS http://other.test HTTP/1.1'),
    'RFC 9112 §3.2.4',
    forward({ target: '*', host: 'other.test' }),
  ),
  one(
    'OPTIONS of the root in absolute-form',
    line('OPTIONS http://other.test/ HTTP/1.1'),
    'RFC 9112 §3.2.4',
    forward({ target: '/', host: 'other.test' }),
  ),
  one(
    'OPTIONS of a query in absolute-form',
    line('OPTIONS http://other.test?q HTTP/1.1'),
    'RFC 9112 §3.2.4',
    forward({ target: '/?q', host: 'other.test' }),
  ),
  ...['GET', 'POST', 'HEAD', 'PUT', 'DELETE'].map((method) =>
    one(`${method} *`, line(`${method} * HTTP/1.1`), 'RFC 9112 §3.2.4', refuse(400)),
  ),
  ...['**', '*/', '*?q', '*x', 'x*'].map((target) =>
    one(`OPTIONS ${target}`, line(`OPTIONS ${target} HTTP/1.1`), 'RFC 9112 §3.2.4', refuse(400)),
  ),
  ...['origin.test:80', 'origin.test', 'localhost', '127.0.0.1:80', '[::1]:80', 'mailto:a@b', 'urn:a:b'].map(
    (target) =>
      one(
        `GET with authority-form ${target}`,
        line(`GET ${target} HTTP/1.1`),
        'RFC 9112 §3.2.3',
        refuse(400, 421),
      ),
  ),
]

const VERSIONS_OF_NONE = [
  'http/1.1',
  'Http/1.1',
  'hTTP/1.1',
  'HTTP/1',
  'HTTP/1.',
  'HTTP/.1',
  'HTTP/',
  'HTTP',
  'HTTP/1.1.',
  'HTTP/1.1.1',
  'HTTP/1.10',
  'HTTP/1.11',
  'HTTP/01.1',
  'HTTP/1.01',
  'HTTP/+1.1',
  'HTTP/-1.1',
  'HTTP/1.+1',
  'HTTP/1,1',
  'HTTP/1-1',
  'HTTP/1:1',
  'HTTP/1/1',
  'HTTP//1.1',
  'HTTP\\1.1',
  'HTTP /1.1',
  'HTTP/ 1.1',
  'HTTP/1 .1',
  'HTTP/1. 1',
  'HTTP1.1',
  'HTP/1.1',
  'HTTPS/1.1',
  'XHTTP/1.1',
  'HTTP/A.B',
  'HTTP/1.A',
  'HTTP/1.1a',
  'HTTP/1.1;',
  'HTTP/1.1,',
  'HTTP/1.1\0',
  'HTTP/1.1\x0b',
  'HTTP/1.1\x0c',
  'HTTP/1.1\x7f',
  'HTTP/1.1\x85',
  'HTTP/1.1\xa0',
  'HTTP/\xb1.\xb1',
  'HTTP/1\x001',
  'HTTP/11',
  'HTTP/1.1HTTP/1.1',
  'HTTP/1.1 HTTP/1.1',
  'HTTP/1.1 /x',
  'RTSP/1.0',
  'RTSP/2.0',
  'ICE/1.0',
  'SIP/2.0',
  'SHOUTCAST/1.0',
  '1.1',
  '*',
  'x',
]

const versions: Case[] = [
  one('HTTP/1.1', line('GET /case HTTP/1.1'), 'RFC 9112 §2.3', forward()),
  one('HTTP/1.0', line('GET /case HTTP/1.0'), 'RFC 9112 §2.3', forward({ target: '/case' })),
  one('HTTP/1.0 without Host', head('GET /case HTTP/1.0'), 'RFC 9112 §3.2', forward(), { probe: false }),
  one(
    'HTTP/1.0 with keep-alive',
    line('GET /case HTTP/1.0', 'Connection: keep-alive'),
    'RFC 9112 §9.3',
    forward(),
    {
      probe: false,
    },
  ),
  ...['1.2', '1.3', '1.5', '1.9'].map((version) =>
    one(
      `HTTP/${version}`,
      line(`GET /case HTTP/${version}`),
      'RFC 9110 §2.5',
      either({ target: '/case', body: '' }),
    ),
  ),
  ...['0.0', '0.1', '0.9', '2.0', '2.1', '3.0', '4.0', '5.5', '9.9'].map((version) =>
    one(`HTTP/${version}`, line(`GET /case HTTP/${version}`), 'RFC 9110 §15.6.6', refuse(505, 400)),
  ),
  ...VERSIONS_OF_NONE.map((version) =>
    one(`version ${version}`, line(`GET /case ${version}`), 'RFC 9112 §2.3', refuse(400, 505)),
  ),
  one('no version: HTTP/0.9', 'GET /case\r\n', 'RFC 9112 §3', refuse(400, 505)),
  one('no version, but fields', line('GET /case'), 'RFC 9112 §3', refuse(400, 505)),
  one('no version, but a blank', line('GET /case '), 'RFC 9112 §3', refuse(400, 505)),
  one('a method alone', line('GET'), 'RFC 9112 §3', refuse(400, 501)),
  one('a method and a version alone', line('GET HTTP/1.1'), 'RFC 9112 §3', refuse(400, 505)),
  one('an empty target', line('GET  HTTP/1.1'), 'RFC 9112 §3', refuse(400, 505)),
  one('a target alone', line('/case HTTP/1.1'), 'RFC 9112 §3', refuse(400, 501)),
  one('a response', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', 'RFC 9112 §3', refuse(400, 501)),
  ...ALL_OCTETS.filter((value) => value !== 0x31 && value !== 0x30 && (value < 0x32 || value > 0x39)).map(
    (value) =>
      one(
        `minor version ${nameOf(value)}`,
        line(`GET /case HTTP/1.${octet(value)}`),
        'RFC 9112 §2.3',
        refuse(400, 505),
      ),
  ),
]

const SEPARATORS = [
  '  ',
  '\t',
  ' \t',
  '\t ',
  '\x0b',
  '\x0c',
  '\r',
  ' \r',
  '\r ',
  '\xa0',
  '\x85',
  '\0',
  '\x1f',
  '',
  '%20',
]
const blanks: Case[] = [
  ...SEPARATORS.flatMap((separator) => {
    const shown = JSON.stringify(separator)
    return [
      one(
        `${shown} between method and target`,
        line(`GET${separator}/case HTTP/1.1`),
        'RFC 9112 §3',
        refuse(400, 501, 505),
      ),
      one(
        `${shown} between target and version`,
        line(`GET /case${separator}HTTP/1.1`),
        'RFC 9112 §3',
        refuse(400, 505),
      ),
    ]
  }),
  ...[' ', '\t', '  ', '\x0b', '\x0c', '\xa0', '\r', '\r\r', '\0'].flatMap((blank) => {
    const shown = JSON.stringify(blank)
    return [
      one(`${shown} behind the version`, line(`GET /case HTTP/1.1${blank}`), 'RFC 9112 §3', refuse(400, 505)),
      one(
        `${shown} before the request line`,
        line(`${blank}GET /case HTTP/1.1`),
        'RFC 9112 §3',
        refuse(400, 501),
      ),
    ]
  }),
  one(
    'LF at the end of the request line',
    `GET /case HTTP/1.1\n${HOST}\r\n\r\n`,
    'RFC 9112 §2.2',
    refuse(400, 505),
  ),
  one('LF at the end of every line', `GET /case HTTP/1.1\n${HOST}\n\n`, 'RFC 9112 §2.2', refuse(400, 505)),
  one(
    'LF at the end of every line, then nothing',
    `GET /case HTTP/1.1\n${HOST}\n\n`,
    'RFC 9112 §2.2',
    refuse(400, 408, 505),
    {
      probe: false,
    },
  ),
  one(
    'CR at the end of the request line',
    `GET /case HTTP/1.1\r${HOST}\r\n\r\n`,
    'RFC 9112 §2.2',
    refuse(400, 505),
  ),
  one('CR at the end of every line', `GET /case HTTP/1.1\r${HOST}\r\r`, 'RFC 9112 §2.2', refuse(400, 505)),
  one(
    'LF CR at the end of the request line',
    `GET /case HTTP/1.1\n\r${HOST}\r\n\r\n`,
    'RFC 9112 §2.2',
    refuse(400, 505),
  ),
  one(
    'CR CR LF at the end of the request line',
    `GET /case HTTP/1.1\r\r\n${HOST}\r\n\r\n`,
    'RFC 9112 §2.2',
    refuse(400, 505),
  ),
  one(
    'NEL at the end of the request line',
    `GET /case HTTP/1.1\x85${HOST}\r\n\r\n`,
    'RFC 9112 §2.2',
    refuse(400, 505),
  ),
  one(
    'CR LF within the target',
    `GET /ca\r\nse HTTP/1.1\r\n${HOST}\r\n\r\n`,
    'RFC 9112 §3',
    refuse(400, 505),
  ),
  one('LF within the target', `GET /ca\nse HTTP/1.1\r\n${HOST}\r\n\r\n`, 'RFC 9112 §3', refuse(400, 505)),
  one(
    'a second request line',
    `GET /case HTTP/1.1\r\nGET /other HTTP/1.1\r\n${HOST}\r\n\r\n`,
    'RFC 9112 §3',
    refuse(400),
  ),
]

const plain = get()
const emptyLines: Case[] = [
  one('one empty line first', `\r\n${plain}`, 'RFC 9112 §2.2', forward({ target: '/case' })),
  ...[2, 3, 10, 100].map((count) =>
    one(
      `${count} empty lines first`,
      `${'\r\n'.repeat(count)}${plain}`,
      'RFC 9112 §2.2',
      either({ target: '/case', body: '' }),
    ),
  ),
  ...[
    '\n',
    '\n\n',
    '\r',
    '\r\r\n',
    '\n\r\n',
    '\r\n\n',
    '\r\n\r',
    ' \r\n',
    '\r\n ',
    '\t\r\n',
    '\0\r\n',
    '\x0b\r\n',
  ].map((first) =>
    one(`${JSON.stringify(first)} first`, `${first}${plain}`, 'RFC 9112 §2.2', refuse(400, 501)),
  ),
  one('one empty line between two requests', `${plain}\r\n${plain}`, 'RFC 9112 §2.2', forward()),
  one(
    'an empty line behind a body',
    `${head('POST /case HTTP/1.1', HOST, 'Content-Length: 2')}ab\r\n`,
    'RFC 9112 §2.2',
    forward({ body: 'ab' }),
  ),
  one('LF between two requests', `${plain}\n${plain}`, 'RFC 9112 §2.2', refuse(400, 501), { before: 1 }),
  one(
    'one empty line before every one of three requests',
    `\r\n${plain}\r\n${plain}\r\n${plain}`,
    'RFC 9112 §2.2',
    forward(),
  ),
]

const lengths: Case[] = [
  one('a target of 8,192 octets', origin(`/${'a'.repeat(8191)}`), 'RFC 9112 §3', forward()),
  one('a query that fills 8,192 octets', origin(`/?${'a'.repeat(8190)}`), 'RFC 9112 §3', forward()),
  one('a target of 8,193 octets', origin(`/${'a'.repeat(8192)}`), 'RFC 9110 §15.5.15', refuse(414)),
  one('a target of 16,000 octets', origin(`/${'a'.repeat(15_999)}`), 'RFC 9110 §15.5.15', refuse(414)),
  one('a target of 100,000 octets', origin(`/${'a'.repeat(99_999)}`), 'RFC 9110 §15.5.15', refuse(414, 431)),
  one(
    'a target of 1,000,000 octets that never ends',
    `GET /${'a'.repeat(1_000_000)}`,
    'RFC 9110 §15.5.15',
    refuse(414, 431),
    {
      probe: false,
    },
  ),
  one(
    'an absolute-form of 8,193 octets',
    origin(`http://origin.test/${'a'.repeat(8174)}`),
    'RFC 9110 §15.5.15',
    refuse(414),
  ),
]

const otherProtocols: Case[] = [
  ...(
    [
      ['TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
      ['SSH', 'SSH-2.0-OpenSSH_9.6\r\n'],
      ['SMTP', 'EHLO client.test\r\n'],
      ['PROXY protocol, version 1', `PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n${plain}`],
      [
        'PROXY protocol, version 2',
        `\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x7f\0\0\x01\x7f\0\0\x01\0\x01\0\x02${plain}`,
      ],
      ['a UTF-8 byte order mark', `\xef\xbb\xbf${plain}`],
      ['UTF-16', Buffer.from(plain, 'utf16le').toString('latin1')],
      ['nothing but zeros', '\0'.repeat(64)],
    ] as const
  ).map(([name, octets]) =>
    one(`${name} instead of HTTP`, octets, 'RFC 9112 §3', refuse(400, 414, 501, 505)),
  ),
]

const unfinished: Case[] = [
  'G',
  'GET',
  'GET ',
  'GET /case',
  'GET /case HTTP/1.1',
  'GET /case HTTP/1.1\r',
  'GET /case HTTP/1.1\r\n',
  '\r\n',
  '\r',
].flatMap((octets) => [
  one(`${JSON.stringify(octets)}, then FIN`, octets, 'RFC 9112 §8', cutOff(400, 408), {
    probe: false,
    fin: true,
  }),
  one(`${JSON.stringify(octets)}, then nothing`, octets, 'RFC 9110 §15.5.9', cutOff(408), { probe: false }),
])

/** The same once more, an octet a write. */
const octetByOctet: Case[] = [
  ...emptyLines.filter(({ octets }) => octets.length < 150),
  ...absoluteForm.slice(0, 5),
  ...versions.slice(0, 8),
].map(slowly)

/** Group 1. */
export const requestLine: Group = {
  name: '1 request line',
  cases: [
    ...methods,
    ...originForm,
    ...absoluteForm,
    ...otherForms,
    ...versions,
    ...blanks,
    ...emptyLines,
    ...lengths,
    ...unfinished,
    ...otherProtocols,
    ...octetByOctet,
  ],
}
