// A socket to an upstream. When the kernel refuses a write, the upstream is gone; but what it said before that, such as
// an early 413, may lie unread in the kernel, and Node would close the socket over it.

import { Socket } from 'node:net'

type Written = (error?: Error | null) => void

/** A socket that is still read for a moment after a write was refused. */
export class PatientSocket extends Socket {
  /** whether a write was refused: nothing can be sent any more */
  refused = false
  #written: Written | undefined = undefined

  override _write(piece: unknown, encoding: BufferEncoding, written: Written): void {
    this.#written = written
    super._write(piece, encoding, this.#onWritten)
  }

  override _writev(pieces: { chunk: unknown; encoding: BufferEncoding }[], written: Written): void {
    this.#written = written
    super._writev?.(pieces, this.#onWritten)
  }

  /** One for all writes, since the stream waits for one before it begins the next. */
  readonly #onWritten: Written = (error) => {
    const written = this.#written
    if (error) {
      this.refused = true
      endSoon(this, error)
    }
    written?.()
  }
}

/** Makes `socket` patient, which Node itself has made: one of TLS. */
export function makePatient(socket: Socket & { refused?: boolean }): void {
  const write = socket._write.bind(socket)
  const writev = socket._writev?.bind(socket)
  let waiting: Written | undefined
  const onWritten: Written = (error) => {
    const written = waiting
    if (error) {
      socket.refused = true
      endSoon(socket, error)
    }
    written?.()
  }
  socket._write = (piece, encoding, written) => {
    waiting = written
    write(piece, encoding, onWritten)
  }
  if (writev === undefined) return
  socket._writev = (pieces, written) => {
    waiting = written
    writev(pieces, onWritten)
  }
}

/** Whatever there is to read is read in this turn of the event loop, or in the next. */
function endSoon(socket: Socket, error: Error): void {
  setImmediate(() => setImmediate(() => socket.destroy(error)))
}
