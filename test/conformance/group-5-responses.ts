// Group 5, responses: the same discipline toward an upstream. What it sends is relayed with its one meaning, answered 502,
// or cut short where its head had gone; nothing of it ever becomes the answer to another request.

import { chunked, head } from './octets.ts'
import type { ResponseCase, ResponseGroup, Step } from './run-responses.ts'
import { responseBodies } from './group-5-bodies.ts'
import { earlyAnswers } from './group-5-early.ts'
import { responseHeads } from './group-5-heads.ts'
import {
  answer,
  asked,
  bad,
  CHUNKED,
  cut,
  either,
  EVIL,
  framed,
  HEAD,
  HTTP10,
  interim,
  ok,
  POST,
  relay,
  SURPLUS,
} from './response-cases.ts'

// ── interim responses ─────────────────────────────────────────────────────────────────────────────────────────────────

const INTERIM = 'RFC 9110 §15.2'
const interims: ResponseCase[] = [
  ...[100, 102, 103, 104, 150, 199].flatMap((status) => [
    answer(`${status} first`, INTERIM, interim(status) + ok(), relay({ interims: [status] })),
    answer(
      `${status} first, in a read of its own`,
      INTERIM,
      [interim(status), { wait: 15 }, ok()],
      relay({ interims: [status] }),
    ),
    answer(`${status} first, to HTTP/1.0`, INTERIM, interim(status) + ok(), relay({ interims: [] }), HTTP10),
    answer(
      `${status} first, to HEAD`,
      INTERIM,
      interim(status) + framed('Content-Length: 5'),
      relay({ interims: [status], body: '' }),
      HEAD,
    ),
    answer(`${status} first, to POST`, INTERIM, interim(status) + ok(), relay({ interims: [status] }), POST),
    answer(
      `${status} with a length of 0`,
      'RFC 9110 §8.6',
      interim(status, 'Content-Length: 0') + ok(),
      either({ interims: [status] }),
    ),
    answer(
      `${status} with a length and a body`,
      'RFC 9110 §8.6',
      `${interim(status, 'Content-Length: 5')}hello${ok()}`,
      { kind: 'bad', statuses: [502] },
    ),
    answer(
      `${status} with chunked`,
      'RFC 9112 §6.1',
      interim(status, CHUNKED) + ok(),
      either({ interims: [status] }),
    ),
    answer(
      `${status} with chunks`,
      'RFC 9112 §6.1',
      interim(status, CHUNKED) + chunked(['hello']) + ok(),
      bad(),
    ),
    answer(`${status}, then nothing, then FIN`, INTERIM, [interim(status), { wait: 15 }, 'FIN'], bad()),
    answer(`${status}, then octets of no response`, INTERIM, `${interim(status)}hello\r\n\r\n`, bad()),
  ]),
  answer(
    '103 keeps its fields',
    'RFC 8297 §2',
    interim(103, 'Link: </a>; rel=preload', 'Connection: X-A', 'X-A: b') + ok(),
    relay({ interims: [103] }),
  ),
  answer(
    'several of them',
    INTERIM,
    interim(100) + interim(103) + interim(102) + ok(),
    relay({ interims: [100, 103, 102] }),
  ),
  answer(
    'as many as allowed',
    INTERIM,
    interim(102).repeat(32) + ok(),
    relay({ interims: Array.from({ length: 32 }, () => 102) }),
  ),
  answer('one more than allowed', INTERIM, interim(102).repeat(33) + ok(), bad()),
  answer('a flood', INTERIM, interim(100).repeat(10_000) + ok(), bad()),
  answer(
    'a flood in many reads',
    INTERIM,
    [...Array.from({ length: 40 }, () => [interim(100), { wait: 1 }]).flat(), ok()],
    bad(),
  ),
  answer('100 without end, then FIN', INTERIM, [interim(100).repeat(5), { wait: 15 }, 'FIN'], bad()),
  answer(
    '101 that nobody asked for',
    'RFC 9110 §15.2.2',
    `${interim(101, 'Connection: upgrade', 'Upgrade: websocket')}${EVIL}`,
    bad(),
    { spoilt: true },
  ),
  answer('101 without Upgrade', 'RFC 9110 §15.2.2', interim(101), bad(), { spoilt: true }),
  answer(
    '101 to another protocol than was asked for',
    'RFC 9110 §15.2.2',
    interim(101, 'Connection: upgrade', 'Upgrade: h2c'),
    bad(),
    {
      request: asked('GET', 'Connection: upgrade', 'Upgrade: websocket'),
      spoilt: true,
    },
  ),
  answer('101 without Connection', 'RFC 9110 §15.2.2', interim(101, 'Upgrade: websocket'), bad(), {
    request: asked('GET', 'Connection: upgrade', 'Upgrade: websocket'),
    spoilt: true,
  }),
  answer(
    '101 to POST',
    'RFC 9110 §15.2.2',
    interim(101, 'Connection: upgrade', 'Upgrade: websocket'),
    bad(),
    POST,
  ),
  answer(
    '101 to HTTP/1.0',
    'RFC 9110 §15.2.2',
    interim(101, 'Connection: upgrade', 'Upgrade: websocket'),
    bad(),
    HTTP10,
  ),
  answer('200 to a request for Upgrade', 'RFC 9110 §7.8', ok(), relay(), {
    request: asked('GET', 'Connection: upgrade', 'Upgrade: websocket'),
  }),
  ...[
    ['websocket', 'h2c'],
    ['h2c', 'websocket'],
    ['websocket', 'websocket'],
    ['', 'websocket'],
    ['websocket', ''],
  ].map(([first, second]) =>
    answer(
      `101 with Upgrade: ${first} and Upgrade: ${second}`,
      'RFC 9110 §7.8',
      interim(101, 'Connection: upgrade', `Upgrade: ${first}`, `Upgrade: ${second}`) + EVIL,
      bad(),
      { request: asked('GET', 'Connection: upgrade', 'Upgrade: websocket'), spoilt: true },
    ),
  ),
  ...['websocket, h2c', 'h2c, websocket', 'websocket/13', 'websocketx', ''].map((protocol) =>
    answer(
      `101 with Upgrade: ${protocol}`,
      'RFC 9110 §7.8',
      interim(101, 'Connection: upgrade', `Upgrade: ${protocol}`) + EVIL,
      bad(),
      { request: asked('GET', 'Connection: upgrade', 'Upgrade: websocket'), spoilt: true },
    ),
  ),
  ...['POST', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'].map((method) =>
    answer(
      `101 to ${method} that asks for it`,
      'RFC 6455 §4.1',
      interim(101, 'Connection: upgrade', 'Upgrade: websocket') + EVIL,
      bad(),
      { request: asked(method, 'Connection: upgrade', 'Upgrade: websocket'), spoilt: true },
    ),
  ),
  answer(
    '101 in HTTP/1.0',
    'RFC 9110 §15.2',
    head('HTTP/1.0 101 Switching Protocols', 'Connection: upgrade', 'Upgrade: websocket') + EVIL,
    bad(),
    { request: asked('GET', 'Connection: upgrade', 'Upgrade: websocket'), spoilt: true },
  ),
  ...[100, 102, 103, 199].flatMap((status) => [
    answer(`${status} in HTTP/1.0`, 'RFC 9110 §15.2', head(`HTTP/1.0 ${status} Interim`) + ok(), bad(), {
      spoilt: true,
    }),
    answer(
      `${status} in HTTP/1.0, kept alive`,
      'RFC 9110 §15.2',
      head(`HTTP/1.0 ${status} Interim`, 'Connection: keep-alive') + EVIL,
      bad(),
      { spoilt: true },
    ),
  ]),
]

// ── the end comes too early, or not where it should ───────────────────────────────────────────────────────────────────

const END = 'RFC 9112 §8'
const WHOLE = ok('X-A: b')
const early: ResponseCase[] = [
  ...['FIN', 'RST'].flatMap((how) =>
    [0, 1, 5, 9, 15, 17, 20, 30, WHOLE.indexOf('\r\n\r\n') + 2].map((length) =>
      answer(
        `${how} behind ${length} octets of the head`,
        END,
        [WHOLE.slice(0, length), { wait: 10 }, how as Step].filter((step) => step !== ''),
        bad(),
        POST,
      ),
    ),
  ),
  ...['FIN', 'RST'].flatMap((how) =>
    ['', 'h', 'hell'].map((body) =>
      answer(
        `${how} behind ${body.length} of 5 octets`,
        END,
        [`${framed('Content-Length: 5')}${body}`, { wait: 15 }, how as Step],
        cut(body),
      ),
    ),
  ),
  answer('FIN in the same write as half a body', END, [`${framed('Content-Length: 5')}he`, 'FIN'], cut('he')),
  answer('a body that stalls', 'RFC 9110 §15.6.5', `${framed('Content-Length: 5')}he`, cut('he')),
  answer('a chunked body that stalls', 'RFC 9110 §15.6.5', `${framed(CHUNKED)}5\r\nhe`, cut('5\r\nhe')),
  answer('a body until close that stalls', 'RFC 9110 §15.6.5', `${framed()}hello`, cut('hello')),
  answer('a whole response, then RST', END, [ok(), { wait: 15 }, 'RST'], relay(), {
    pause: 60,
    spoilt: true,
  }),
  answer('a whole response, then FIN', END, [ok(), 'FIN'], relay(), { pause: 60, spoilt: true }),
]

const surplus: ResponseCase[] = [
  ...(
    [
      ['a second response', EVIL],
      ['one octet', 'x'],
      ['an empty line', '\r\n'],
      ['an interim response', interim(100)],
      ['a 408', head('HTTP/1.1 408 Request Timeout', 'Connection: close', 'Content-Length: 0')],
      ['half a response', EVIL.slice(0, 20)],
      ['a hundred responses', EVIL.repeat(100)],
      ['garbage', '\0\xff\0'],
    ] as const
  ).flatMap(([name, octets]) => [
    answer(`${name} behind a body, in the same write`, SURPLUS, ok() + octets, relay(), { spoilt: true }),
    answer(`${name} behind a body, in the same write, probe waiting`, SURPLUS, ok() + octets, relay(), {
      spoilt: true,
      pipelined: true,
    }),
    answer(
      `${name} behind chunks, in the same write`,
      SURPLUS,
      framed(CHUNKED) + chunked(['hello']) + octets,
      relay(),
      { spoilt: true },
    ),
    answer(
      `${name} behind 204, in the same write`,
      SURPLUS,
      head('HTTP/1.1 204 No Content') + octets,
      relay({ status: 204, body: '' }),
      { spoilt: true },
    ),
    answer(
      `${name} behind a response to HEAD, in the same write`,
      SURPLUS,
      framed('Content-Length: 5') + octets,
      relay({ body: '' }),
      { ...HEAD, spoilt: true },
    ),
    answer(`${name} behind a body, later`, SURPLUS, [ok(), { wait: 20 }, octets], relay(), {
      pause: 80,
      spoilt: true,
    }),
    answer(
      `${name} behind chunks, later`,
      SURPLUS,
      [framed(CHUNKED) + chunked(['hello']), { wait: 20 }, octets],
      relay(),
      { pause: 80, spoilt: true },
    ),
    answer(`${name} behind a response to POST, later`, SURPLUS, [ok(), { wait: 20 }, octets], relay(), {
      ...POST,
      pause: 80,
      spoilt: true,
    }),
  ]),
  answer(
    'a body one octet longer than its length',
    SURPLUS,
    `${framed('Content-Length: 4')}hello`,
    relay({ body: 'hell' }),
    { spoilt: true },
  ),
]

/** Group 5. */
export const responses: ResponseGroup = {
  name: '5 responses',
  cases: [...responseHeads, ...responseBodies, ...interims, ...early, ...surplus, ...earlyAnswers],
}
