// Octets as latin1 text: how cases write them down, and how failures show them.

/** One octet. */
export function octet(value: number): string {
  return String.fromCharCode(value)
}

/** Every octet there is, 0 to 255. */
export const ALL_OCTETS: readonly number[] = Array.from({ length: 256 }, (_, value) => value)

/** An octet by its code, and by its character where it has one: `0x22 "`. */
export function nameOf(value: number): string {
  const code = `0x${value.toString(16).padStart(2, '0')}`
  return value > 0x20 && value < 0x7f ? `${code} ${octet(value)}` : code
}

/** The octets of a text in UTF-8, as latin1 text. */
export function utf8(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1')
}

/** A text that is octets already stays; any other is put into UTF-8. */
export function octetsOf(text: string): string {
  return /[^\0-\xff]/.test(text) ? utf8(text) : text
}

/** Octets for people: escapes for what cannot be seen, long runs of one octet counted, clipped. */
export function show(octets: string, limit = 700): string {
  const runs = octets.replace(/([\s\S])\1{39,}/g, (run, one: string) => `${one}⟨×${run.length}⟩`)
  const clipped = runs.length > limit ? `${runs.slice(0, limit)}⟨… ${octets.length} octets⟩` : runs
  return clipped.replace(/[^ -~⟨⟩×…]/g, (one) => {
    const named = { '\r': '\\r', '\n': '\\n', '\t': '\\t' }[one]
    return named ?? `\\x${one.charCodeAt(0).toString(16).padStart(2, '0')}`
  })
}

/** A head: lines joined by CR LF, and the empty line. */
export function head(...lines: string[]): string {
  return `${lines.join('\r\n')}\r\n\r\n`
}

/** A chunked body of these chunks, with an optional trailer section. */
export function chunked(chunks: readonly string[], trailers = ''): string {
  return `${chunks.map((data) => `${data.length.toString(16)}\r\n${data}\r\n`).join('')}0\r\n${trailers}\r\n`
}

/** Octets cut at these offsets, each taken modulo the length: as writes or reads would bring them. */
export function cutAt(octets: string, cuts: readonly number[]): string[] {
  const offsets = cuts.map((cut) => cut % (octets.length + 1)).sort((a, b) => a - b)
  return [0, ...offsets]
    .map((from, index) => octets.slice(from, offsets[index] ?? octets.length))
    .filter((piece) => piece !== '')
}
