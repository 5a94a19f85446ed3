// The log of one worker, on its way through the primary. In: pieces, cut anywhere. Out: whole lines. So one process writes
// the log of all: the kernel would put lines of several writers into one another where a write is longer than 4 KiB.

const NEWLINE = 0x0a

/** @returns takes a piece; gives the lines that are whole with it, or nothing */
export function wholeLines(): (piece: Buffer) => string {
  let begun: Buffer[] = []
  return (piece) => {
    const end = piece.lastIndexOf(NEWLINE) + 1 // no octet of a longer UTF-8 character is one
    if (end === 0) {
      begun.push(piece)
      return ''
    }
    const text = Buffer.concat([...begun, piece.subarray(0, end)]).toString()
    begun = end < piece.length ? [piece.subarray(end)] : []
    return text
  }
}
