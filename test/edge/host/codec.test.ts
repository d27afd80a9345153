import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { hostCodec } from '../../../src/edge/host/index.ts'

const text = (content: string) => new TextEncoder().encode(content)

describe('sums', () => {
  test('known values, which are stored and must never change', () => {
    expect(hostCodec.crc32(text('123456789'))).toBe(0xcbf43926)
    expect(hostCodec.xxHash64(text('naru'), 0n)).toBe(Bun.hash.xxHash64('naru', 0n))
    expect(hostCodec.xxHash64(text(''), 0n)).toBe(0xef46db3751d8e999n)
    expect(Buffer.from(hostCodec.sha256(text('abc'))).toString('hex')).toStartWith('ba7816bf8f01cfea')
    expect(hostCodec.sha256(text('')).length).toBe(32)
  })

  test('a checksum continues from a seed', () => {
    const bytes = text('one two three')
    expect(hostCodec.crc32(bytes.subarray(4), hostCodec.crc32(bytes.subarray(0, 4)))).toBe(hostCodec.crc32(bytes))
  })

  test('UTF-8 is checked', () => {
    expect(hostCodec.isUtf8(text('나루'))).toBe(true)
    expect(hostCodec.isUtf8(new Uint8Array([0xc3, 0x28]))).toBe(false)
  })
})

describe.each(['gzip', 'zstd'] as const)('%s', (codec) => {
  const repeated = text('a line of text\n'.repeat(500))

  test('round trip, at exactly the bound too', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 3000 }), (bytes) => {
        const packed = hostCodec.compress(codec, bytes)
        expect(hostCodec.inflate(codec, packed, bytes.length)).toEqual(bytes)
      }),
      { numRuns: 200 },
    )
  })

  test('one byte over the bound is refused', () => {
    const packed = hostCodec.compress(codec, repeated)
    expect(hostCodec.inflate(codec, packed, repeated.length - 1)).toBeNull()
    expect(hostCodec.inflate(codec, packed, 0)).toBeNull()
  })

  test('cut anywhere, it is refused', () => {
    const packed = hostCodec.compress(codec, repeated)
    for (let length = 0; length < packed.length; length++)
      expect(hostCodec.inflate(codec, packed.subarray(0, length), repeated.length)).toBeNull()
  })

  test('bytes behind the end are refused', () => {
    const packed = hostCodec.compress(codec, repeated)
    expect(hostCodec.inflate(codec, new Uint8Array([...packed, 1, 2, 3]), 2 * repeated.length)).toBeNull()
  })

  test('a bomb is refused without being inflated', () => {
    const packed = hostCodec.compress(codec, new Uint8Array(64 * 1024 * 1024))
    expect(hostCodec.inflate(codec, packed, 8 * 1024 * 1024)).toBeNull()
  })

  test('off the event loop it is the same', async () => {
    const packed = await hostCodec.compressLater(codec, repeated)
    expect(hostCodec.inflate(codec, packed, repeated.length)).toEqual(repeated)
    expect(await hostCodec.inflateLater(codec, packed, repeated.length)).toEqual(repeated)
    expect(await hostCodec.inflateLater(codec, packed, repeated.length - 1)).toBeNull()
    expect(await hostCodec.inflateLater(codec, packed.subarray(0, 20), repeated.length)).toBeNull()
    const bomb = hostCodec.compress(codec, new Uint8Array(64 * 1024 * 1024))
    expect(await hostCodec.inflateLater(codec, bomb, 8 * 1024 * 1024)).toBeNull()
  })

  test('mutated input never throws and never exceeds the bound', () => {
    const packed = hostCodec.compress(codec, repeated)
    fc.assert(
      fc.property(fc.nat(packed.length - 1), fc.integer({ min: 1, max: 255 }), fc.nat(10_000), (at, flip, bound) => {
        const mutated = packed.slice()
        mutated[at]! ^= flip
        const inflated = hostCodec.inflate(codec, mutated, bound)
        expect(inflated === null || inflated.length <= bound).toBe(true)
      }),
      { numRuns: 500 },
    )
  })
})

test('a zstd frame that asks for a huge window or states a huge size is refused before inflation', () => {
  const window = new Uint8Array([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xf8, 0x01, 0x00, 0x00])
  expect(hostCodec.inflate('zstd', window, 100)).toBeNull()
  const size = new Uint8Array([0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0, 0, 1, 0, 0, 0x01, 0x00, 0x00])
  expect(hostCodec.inflate('zstd', size, 100)).toBeNull()
})
