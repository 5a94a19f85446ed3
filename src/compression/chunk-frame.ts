// Octets → one chunk (RFC 9112 §7.1), as one run of octets: its size, the data and the line end leave in one write.

/** Frames chunks, one at a time, for all responses of a process. */
export class ChunkFrame {
  #octets = Buffer.alloc(0)

  /**
   * Makes a chunk.
   *
   * @param data at least one octet: none would be the last chunk
   * @returns valid until the next call
   */
  frame(data: Buffer): Buffer {
    const size = `${data.length.toString(16)}\r\n`
    const length = size.length + data.length + 2
    if (this.#octets.length < length) this.#octets = Buffer.allocUnsafeSlow(length)
    const octets = this.#octets
    octets.write(size, 0, 'latin1')
    data.copy(octets, size.length)
    octets[length - 2] = 0x0d
    octets[length - 1] = 0x0a
    return octets.subarray(0, length)
  }
}
