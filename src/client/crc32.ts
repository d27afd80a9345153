// CRC-32 (IEEE 802.3): native where the runtime has it, else by sixteen tables, sixteen bytes a step.

const SLICES = 16
const POLYNOMIAL = 0xedb8_8320

type Crc32 = (bytes: Uint8Array, seed?: number) => number

/** Node's and Bun's; a browser has none. */
export function nativeCrc32(): Crc32 | null {
  const { process } = globalThis as { process?: { getBuiltinModule?: (name: string) => { crc32?: Crc32 } | undefined } }
  return process?.getBuiltinModule?.('node:zlib')?.crc32 ?? null
}

/** Makes 16 KiB of tables. */
export function tableCrc32(): Crc32 {
  const tables = tablesOf()
  const table = (slice: number): Int32Array => tables.subarray(slice * 256, slice * 256 + 256)
  const [t0, t1, t2, t3, t4, t5, t6, t7] = [0, 1, 2, 3, 4, 5, 6, 7].map(table) as Eight
  const [t8, t9, t10, t11, t12, t13, t14, t15] = [8, 9, 10, 11, 12, 13, 14, 15].map(table) as Eight
  return (bytes, seed = 0) => {
    let crc = ~seed
    let at = 0
    for (const end = bytes.length - (SLICES - 1); at < end; at += SLICES) {
      crc =
        t15[(crc ^ bytes[at]!) & 255]! ^
        t14[((crc >>> 8) ^ bytes[at + 1]!) & 255]! ^
        t13[((crc >>> 16) ^ bytes[at + 2]!) & 255]! ^
        t12[(crc >>> 24) ^ bytes[at + 3]!]! ^
        t11[bytes[at + 4]!]! ^
        t10[bytes[at + 5]!]! ^
        t9[bytes[at + 6]!]! ^
        t8[bytes[at + 7]!]! ^
        t7[bytes[at + 8]!]! ^
        t6[bytes[at + 9]!]! ^
        t5[bytes[at + 10]!]! ^
        t4[bytes[at + 11]!]! ^
        t3[bytes[at + 12]!]! ^
        t2[bytes[at + 13]!]! ^
        t1[bytes[at + 14]!]! ^
        t0[bytes[at + 15]!]!
    }
    for (; at < bytes.length; at++) crc = (crc >>> 8) ^ t0[(crc ^ bytes[at]!) & 255]!
    return ~crc >>> 0
  }
}

type Eight = [Int32Array, Int32Array, Int32Array, Int32Array, Int32Array, Int32Array, Int32Array, Int32Array]

/** Table n: what a byte is worth with n zero bytes behind it. */
function tablesOf(): Int32Array {
  const tables = new Int32Array(SLICES * 256)
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 0 ? crc >>> 1 : (crc >>> 1) ^ POLYNOMIAL
    tables[byte] = crc
  }
  for (let i = 256; i < tables.length; i++) {
    const before = tables[i - 256]!
    tables[i] = (before >>> 8) ^ tables[before & 255]!
  }
  return tables
}
