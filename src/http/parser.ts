// llhttp behind one interface: a whole head in, offsets out. Owner of llhttp-wasm and of its memory, which also
// holds the process's shared read buffer, so that a head is parsed where the kernel wrote it.
// Why the package's own JavaScript is not used: docs/decisions/0001-llhttp-in-place.md.

import assert from 'node:assert'
import * as llhttp from 'llhttp-wasm'
import { type FailureCode, ProxyError } from '../errors.ts'
import { FieldSection } from './fields.ts'
import { SP, TCHAR } from './octets.ts'

/** What llhttp found in a request head. Nothing of it is judged yet: that is `request.ts`. */
export interface ParsedRequest {
  readonly fields: FieldSection
  /** Where the request-target begins and ends in the text. */
  readonly targetStart: number
  readonly targetEnd: number
}

/** What llhttp found in a response head, not judged yet: that is `response.ts`. */
export interface ParsedResponse {
  readonly fields: FieldSection
}

/** The sizes that are fixed when the parser is made, since WebAssembly memory must not grow afterwards. */
export interface ParserSizes {
  /** octets of the shared read buffer */
  readonly region: number
  /** octets of the longest head */
  readonly maxHeadSize: number
  /** field lines in one head or trailer section */
  readonly maxFields: number
}

/** One request parser and one response parser, which serve every connection of the process. */
export interface HeadParser {
  /** The shared read buffer: sockets read into it, and {@link parseRequest} reads from it without a copy. */
  readonly region: Buffer
  /**
   * Parses one whole request head, from its first octet to the empty line.
   *
   * @throws {ProxyError} `ERR_HEAD_MALFORMED`, `ERR_METHOD_UNKNOWN`, `ERR_VERSION_UNSUPPORTED`, `ERR_TARGET_MALFORMED`,
   *   `ERR_TOO_MANY_FIELDS`, `ERR_FRAMING_AMBIGUOUS` or `ERR_CODING_UNKNOWN`
   */
  parseRequest(octets: Buffer, start: number, end: number): ParsedRequest
  /** The same for a response head. @throws {ProxyError} `ERR_RESPONSE_MALFORMED` or `ERR_RESPONSE_AMBIGUOUS` */
  parseResponse(octets: Buffer, start: number, end: number): ParsedResponse
  /**
   * Parses a trailer section (RFC 9112 §7.1.2), from its first field line to the empty line.
   *
   * @param malformed the failure that a malformed section is: the side that sends it decides
   * @throws {ProxyError} with that code
   */
  parseTrailers(octets: Buffer, start: number, end: number, malformed: FailureCode): FieldSection
}

/** The part of llhttp's binary interface that is used here. */
interface LlhttpExports {
  memory: WebAssembly.Memory
  _initialize(): void
  malloc(size: number): number
  llhttp_alloc(type: number): number
  llhttp_reset(parser: number): void
  llhttp_execute(parser: number, at: number, length: number): number
  llhttp_get_error_reason(parser: number): number
}

const TYPE_REQUEST = 1
const TYPE_RESPONSE = 2

// llhttp's error numbers (llhttp.h) that mean something to signet.
const HPE_OK = 0
const HPE_UNEXPECTED_CONTENT_LENGTH = 4
const HPE_INVALID_METHOD = 6
const HPE_INVALID_URL = 7
const HPE_INVALID_CONSTANT = 8
const HPE_INVALID_VERSION = 9
const HPE_INVALID_CONTENT_LENGTH = 11
const HPE_INVALID_TRANSFER_ENCODING = 15
const HPE_PAUSED_UPGRADE = 22
const HPE_PAUSED_H2_UPGRADE = 23
const HPE_USER = 24

/** What stands before a trailer section so that llhttp, which knows only heads, reads its field lines. */
const TRAILER_PREFIX = Buffer.from('GET / HTTP/1.1\r\n')

/**
 * Takes the compiled module out of the package, which keeps it to itself: its first parser is made while
 * `WebAssembly.Instance` is watched.
 */
function takeModule(): WebAssembly.Module {
  const original = WebAssembly.Instance
  let taken: WebAssembly.Module | undefined
  WebAssembly.Instance = new Proxy(original, {
    construct(target, [module, imports]: [WebAssembly.Module, WebAssembly.Imports?]) {
      taken = module
      return new target(module, imports)
    },
  })
  try {
    llhttp.createParser(TYPE_REQUEST).destroy()
  } finally {
    WebAssembly.Instance = original
  }
  assert(taken !== undefined, 'llhttp-wasm no longer instantiates its module in createParser: pin 1.0.3')
  return taken
}

/** Taken when this file is loaded, since the package instantiates its module once a process, however many proxies. */
const MODULE = takeModule()

/** Instantiates llhttp with our own imports, and checks that it is the binary this file was written for. */
function instantiate(imports: Record<string, (parser: number, at: number, length: number) => number>) {
  const missing = WebAssembly.Module.imports(MODULE).filter(({ name }) => imports[name] === undefined)
  assert(
    missing.length === 0,
    `llhttp-wasm asks for unknown imports: ${missing.map((one) => one.name).join(', ')}`,
  )
  const exports = new WebAssembly.Instance(MODULE, { env: imports }).exports as unknown as LlhttpExports
  for (const name of ['memory', 'malloc', 'llhttp_alloc', 'llhttp_reset', 'llhttp_execute'] as const) {
    assert(exports[name] !== undefined, `llhttp-wasm does not export ${name}: pin 1.0.3`)
  }
  exports._initialize()
  return exports
}

/**
 * Makes the parsers and the shared read buffer. All memory is reserved here.
 *
 * @throws {AssertionError} when llhttp-wasm is not the version this was written for
 */
export function createHeadParser(sizes: ParserSizes): HeadParser {
  // What the callbacks note, for the head being parsed: parsing is synchronous, so one set serves all.
  const spans = new Int32Array(sizes.maxFields * 4)
  let base = 0 // address of the head's first octet
  let lines = 0
  let tooMany = false
  let whole = false
  let targetStart = 0
  let targetEnd = 0

  const ignore = () => 0
  const wasm = instantiate({
    wasm_on_message_begin: ignore,
    wasm_on_status: ignore,
    wasm_on_headers_complete() {
      whole = true
      return 0
    },
    wasm_on_body: ignore,
    wasm_on_message_complete: ignore,
    wasm_on_url(_parser, at, length) {
      targetStart = at - base
      targetEnd = targetStart + length
      return 0
    },
    wasm_on_header_field(_parser, at, length) {
      if (lines === sizes.maxFields) {
        tooMany = true
        return HPE_USER
      }
      spans[lines * 4] = at - base
      spans[lines * 4 + 1] = at - base + length
      return 0
    },
    wasm_on_header_value(_parser, at, length) {
      spans[lines * 4 + 2] = at - base
      spans[lines * 4 + 3] = at - base + length
      lines++
      return 0
    },
  })

  const requestParser = wasm.llhttp_alloc(TYPE_REQUEST)
  const responseParser = wasm.llhttp_alloc(TYPE_RESPONSE)
  const regionAt = wasm.malloc(sizes.region)
  // Heads that came in several reads are put together elsewhere and copied here to be parsed.
  const assemblySize = sizes.maxHeadSize + TRAILER_PREFIX.length
  const assemblyAt = wasm.malloc(assemblySize)
  assert(requestParser && responseParser && regionAt && assemblyAt, 'llhttp-wasm has no memory left')
  const memory = wasm.memory.buffer
  const region = Buffer.from(memory, regionAt, sizes.region)
  const assembly = Buffer.from(memory, assemblyAt, assemblySize)

  /** Runs llhttp over one whole head. Returns its error number; the callbacks have noted the rest. */
  function execute(parser: number, octets: Buffer, start: number, end: number): number {
    // Growth would have detached the views: every read since would have gone nowhere.
    assert(wasm.memory.buffer === memory, 'WebAssembly memory has grown')
    if (octets.buffer === memory) {
      base = octets.byteOffset + start
    } else {
      assert(end - start <= assemblySize, 'a head longer than maxHeadSize reached the parser')
      octets.copy(assembly, 0, start, end)
      base = assemblyAt
    }
    lines = 0
    tooMany = false
    whole = false
    wasm.llhttp_reset(parser)
    const error = wasm.llhttp_execute(parser, base, end - start)
    // Judged by framing.ts, which is stricter and knows a 501 from a 400. llhttp comes to it after the head.
    if (error === HPE_INVALID_TRANSFER_ENCODING && whole) return HPE_OK
    // The octets go on after the head: an upgrade, as far as llhttp can tell. Also judged later.
    if (error === HPE_PAUSED_UPGRADE) return HPE_OK
    // llhttp waits for more: behind empty lines for a start line, behind PRI for the rest of the preface of HTTP/2
    // (RFC 9113 §3.4).
    if (error === HPE_OK && !whole)
      return octets[start] === 0x50 ? HPE_PAUSED_H2_UPGRADE : HPE_INVALID_CONSTANT
    return error
  }

  function noted(octets: Buffer, start: number, end: number): FieldSection {
    const copy = new Array<number>(lines * 4)
    for (let at = 0; at < copy.length; at++) copy[at] = spans[at]!
    return new FieldSection(octets.toString('latin1', start, end), copy)
  }

  function reason(parser: number): string {
    const at = wasm.llhttp_get_error_reason(parser)
    const octets = Buffer.from(memory)
    return at === 0 ? 'no head that llhttp knows' : octets.toString('latin1', at, octets.indexOf(0, at))
  }

  return {
    region,

    parseRequest(octets, start, end) {
      const error = execute(requestParser, octets, start, end)
      if (error === HPE_INVALID_METHOD && !beginsWithMethod(octets, start)) {
        throw new ProxyError('ERR_HEAD_MALFORMED', 'the head does not begin with a method and a blank')
      }
      if (error !== HPE_OK) throw requestFailure(error, tooMany, reason(requestParser))
      return { fields: noted(octets, start, end), targetStart, targetEnd }
    },

    parseResponse(octets, start, end) {
      const error = execute(responseParser, octets, start, end)
      if (error !== HPE_OK) {
        throw new ProxyError(
          isFramingError(error) ? 'ERR_RESPONSE_AMBIGUOUS' : 'ERR_RESPONSE_MALFORMED',
          tooMany ? 'too many field lines' : reason(responseParser),
        )
      }
      return { fields: noted(octets, start, end) }
    },

    parseTrailers(octets, start, end, malformed) {
      const whole = Buffer.concat([TRAILER_PREFIX, octets.subarray(start, end)])
      const error = execute(requestParser, whole, 0, whole.length)
      if (error !== HPE_OK) {
        throw new ProxyError(
          malformed,
          `trailer section: ${tooMany ? 'too many lines' : reason(requestParser)}`,
        )
      }
      return noted(whole, 0, whole.length)
    },
  }
}

/** Whether a token and a blank stand at `start`: a method, be it one that llhttp does not know (RFC 9110 §9.1). */
function beginsWithMethod(octets: Buffer, start: number): boolean {
  let at = start
  while (TCHAR[octets[at]!] === 1) at++
  return at > start && octets[at] === SP
}

function isFramingError(error: number): boolean {
  return (
    error === HPE_UNEXPECTED_CONTENT_LENGTH ||
    error === HPE_INVALID_CONTENT_LENGTH ||
    error === HPE_INVALID_TRANSFER_ENCODING
  )
}

function requestFailure(error: number, tooMany: boolean, reason: string): ProxyError {
  if (tooMany) return new ProxyError('ERR_TOO_MANY_FIELDS', 'more field lines than SIGNET_MAX_FIELDS')
  if (isFramingError(error)) return new ProxyError('ERR_FRAMING_AMBIGUOUS', reason)
  switch (error) {
    case HPE_INVALID_METHOD:
      return new ProxyError('ERR_METHOD_UNKNOWN', reason)
    case HPE_INVALID_URL:
      return new ProxyError('ERR_TARGET_MALFORMED', reason)
    case HPE_INVALID_VERSION:
    case HPE_PAUSED_H2_UPGRADE:
      return new ProxyError('ERR_VERSION_UNSUPPORTED', reason)
    default:
      return new ProxyError('ERR_HEAD_MALFORMED', reason)
  }
}
