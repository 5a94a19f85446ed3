// PROXY headers, written by other code than what reads them.

const SIGNATURE = Buffer.from([0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a])

/** A header of version 2: octet 13 (version and command), octet 14 (family and transport), and what follows the length. */
export function binaryHeader(
  command: number,
  family: number,
  ...parts: readonly (readonly number[] | Buffer)[]
): Buffer {
  const rest = Buffer.concat(parts.map((part) => Buffer.from(part)))
  return Buffer.concat([SIGNATURE, Buffer.from([command, family, rest.length >> 8, rest.length & 255]), rest])
}

/** The header of version 2 for a TCP connection over IPv4. */
export function fromIPv4(address: string, ...tlvs: Buffer[]): Buffer {
  return binaryHeader(
    0x21,
    0x11,
    address.split('.').map(Number),
    [127, 0, 0, 1],
    [0x12, 0x67, 0x1f, 0x90],
    ...tlvs,
  )
}

/** A TLV. */
export function tlv(type: number, value: Buffer): Buffer {
  return Buffer.concat([Buffer.from([type, value.length >> 8, value.length & 255]), value])
}
