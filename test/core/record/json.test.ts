import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { limits } from '../../../src/core/base/index.ts'
import { isJson, jsonWords, skipJsonSpace, skipJsonValue } from '../../../src/core/record/index.ts'

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

function skip(text: string): number {
  return skipBothWays(encoder.encode(text))
}

/** By bytes and by words, which must agree. */
function skipBothWays(bytes: Uint8Array, start = 0, end: number = bytes.length): number {
  const position = skipJsonValue(bytes, start, end)
  if (skipJsonValue(bytes, start, end, jsonWords(bytes)) !== position) throw new Error(`ways differ: ${bytes}`)
  return position
}

/** Deeper nesting than ours is the one thing JSON.parse takes that we do not. */
function parses(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** A small seeded generator: a failing case is named by its number. */
function seeded(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0
    return Math.floor(((state >>> 8) / 0x100_0000) * below)
  }
}

describe('skipJsonValue', () => {
  test.each([
    ['null', 4],
    [' \t\r\n true ', 9],
    ['false,', 5],
    ['0', 1],
    ['-0', 2],
    ['-0.0e+10]', 8],
    ['1E9', 3],
    ['12345678901234567890.123456789', 30],
    ['""', 2],
    ['"\\ud800"', 8],
    ['"\\"\\\\\\/\\b\\f\\n\\r\\t\\u00fF"x', 24],
    ['"é€😀"', 11],
    ['[]', 2],
    ['{ }', 3],
    ['[1, [2, {"a": [ ]}], "x"] ', 25],
    ['{"a":{"b":null,"":0},"a":1}', 27],
    ['"\u007f"', 3],
  ])('%j ends at %d', (text, end) => {
    expect(skip(text)).toBe(end)
  })

  test.each([
    ['', 0],
    ['  ', 2],
    ['nul', 3],
    ['nulL', 3],
    ['True', 0],
    ['-', 1],
    ['.5', 0],
    ['1.', 2],
    ['1e', 2],
    ['1e+', 3],
    ['+1', 0],
    ['[01]', 2],
    ['"abc', 4],
    ['"a\nb"', 2],
    ['"\u0000"', 1],
    ['"\\x41"', 2],
    ['"\\u12g4"', 5],
    ['"\\u12', 5],
    ['"\\', 2],
    ["'a'", 0],
    ['[1,]', 3],
    ['[,1]', 1],
    ['[1 2]', 3],
    ['[1}', 2],
    ['{"a":1]', 6],
    ['{"a"}', 4],
    ['{"a":}', 5],
    ['{a:1}', 1],
    ['{"a":1,}', 7],
    ['{"a" 1}', 5],
    ['{1:1}', 1],
    ['{"a":1', 6],
    ['[', 1],
    ['{', 1],
    ['[[[', 3],
    ['\ufeff1', 0],
    ['\u00a01', 0],
    ['NaN', 0],
    ['undefined', 0],
    ['//x\n1', 0],
    ['\v1', 0],
  ])('%j is wrong at %d', (text, position) => {
    expect(skip(text)).toBe(-1 - position)
  })

  test('reads a span and looks no further', () => {
    const bytes = encoder.encode('xx[1,"a"]]]"')
    expect(skipBothWays(bytes, 2, 9)).toBe(9)
    expect(skipBothWays(bytes, 2, 8)).toBe(-1 - 8)
    expect(skipBothWays(bytes, 5, 7)).toBe(-1 - 7)
    expect(skipBothWays(encoder.encode('1234'), 0, 2)).toBe(2)
    expect(skipBothWays(encoder.encode('true'), 0, 3)).toBe(-1 - 3)
    const long = encoder.encode(`"${'a'.repeat(40)}"`)
    for (let end = 0; end < long.length; end++) expect(skipBothWays(long, 0, end)).toBe(-1 - end)
  })

  test('reads arrays that do not begin at a word', () => {
    const whole = encoder.encode(`xyz{"name":"${'a'.repeat(30)}\\n"}`)
    for (let shift = 1; shift < 4; shift++) {
      const bytes = whole.subarray(shift)
      expect(skipBothWays(bytes, 3 - shift)).toBe(bytes.length)
    }
  })

  test('nests as deep as the limit and no deeper, arrays and objects alike', () => {
    const max = limits.JSON_DEPTH_MAX
    const arrays = (depth: number) => '['.repeat(depth) + ']'.repeat(depth)
    const objects = (depth: number) => '{"a":'.repeat(depth - 1) + '{' + '}'.repeat(depth)
    expect(skip(arrays(max))).toBe(max * 2)
    expect(skip(arrays(max + 1))).toBe(-1 - max)
    expect(skip(objects(max))).toBe(objects(max).length)
    expect(skip(objects(max + 1))).toBe(-1 - 5 * max)
    expect(skip('['.repeat(1_000_000))).toBe(-1 - max)
  })

  test('keeps the kind of each level, however they are mixed', () => {
    const random = seeded(7)
    for (let round = 0; round < 300; round++) {
      const depth = 1 + random(limits.JSON_DEPTH_MAX)
      const kinds = Array.from({ length: depth }, () => random(2))
      const open = kinds.map((kind) => (kind === 1 ? '{"k":' : '[0,')).join('')
      const close: string[] = kinds.map((kind) => (kind === 1 ? ',"z":1}' : ',1]'))
      const text = open + 'null' + close.toReversed().join('')
      expect(skip(text)).toBe(text.length)
      const wrong = random(depth)
      const swapped = close.with(wrong, kinds[wrong] === 1 ? ']' : '}')
      expect(skip(open + 'null' + swapped.toReversed().join(''))).toBeLessThan(0)
    }
  })

  test('finds every stop at every place of long strings', () => {
    for (let length = 0; length < 70; length++) {
      for (let at = 0; at < length; at++) {
        for (const [stop, valid] of [
          ['\\n', true],
          ['\\x', false],
          ['\n', false],
          ['é', true],
          ['\u007f', true],
          ['€', true],
          ['\u0000', false],
          ['\u001f', false],
          [' ', true],
          ['!', true],
          ['#', true],
          ['[', true],
          [']', true],
        ] as const) {
          const text = `"${'a'.repeat(at)}${stop}${'b'.repeat(length - at)}"`
          const bytes = encoder.encode(' '.repeat(length & 3) + text)
          const end = skipBothWays(bytes)
          if (valid !== (end === bytes.length)) throw new Error(`${JSON.stringify(text)} gave ${end}`)
        }
      }
    }
  })

  test('takes what JSON.stringify makes', () => {
    fc.assert(
      fc.property(fc.json({ depthSize: 'large' }), fc.constantFrom('', ' ', '\n\t'), (text, space) => {
        const bytes = encoder.encode(space + text + space)
        const end = skipBothWays(bytes)
        expect(end).toBe(bytes.length - space.length)
        expect(skipJsonSpace(bytes, end, bytes.length)).toBe(bytes.length)
      }),
    )
  })

  test('says of texts of JSON-like pieces what JSON.parse says', () => {
    const piece = fc.constantFrom(
      ...'{}[]:,"\\ \n0123456789-+.eEtruefalsn/bu',
      '"a"',
      '"a":',
      'null',
      'true',
      'false',
      '1.5',
      '\\u00',
      'é',
      '😀',
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const text = pieces.join('')
        const bytes = encoder.encode(text)
        expect([text, isJson(bytes, 0, bytes.length)]).toEqual([text, parses(text)])
      }),
      { numRuns: 2000 },
    )
  })

  test('says of mutated documents what JSON.parse says', () => {
    const documents = [
      '{"key":"user-1","value":{"id":1,"price":-12.5e+3,"ok":true,"no":null,"list":[1,2,[],{}],"text":"a \\"quoted\\" \\u00e9 \\ud83d\\ude00"}}',
      '[{"a":0.1},{"b":[false,{"c":"é€😀"}]},"a rather long plain string, to reach the fast way through strings"]',
      ' { "spaced" : [ 1 , 2 ,\r\n\t3 ] , "" : "" } ',
    ].map((text) => encoder.encode(text))
    const splices = encoder.encode('{}[]:,"\\ \n\t0123456789-+.eEtrufalsnb/x\u0000\u001f\u007fé')
    const random = seeded(20261)
    let accepted = 0
    for (let round = 0; round < 60_000; round++) {
      const document = documents[round % documents.length]!
      let bytes: Uint8Array = document.slice()
      for (let edits = 1 + random(3); edits > 0; edits--) {
        const at = random(bytes.length)
        const kind = random(5)
        if (kind <= 1) bytes[at] = splices[random(splices.length)]!
        else if (kind === 2) bytes.copyWithin(at, at + 1)
        else if (kind === 3) bytes.copyWithin(at + 1, at)
        else bytes = bytes.slice(random(2) * at, at + random(bytes.length - at))
        if (bytes.length === 0) bytes = document.slice()
      }
      // Damaged characters become replacement characters, so that both read the same text.
      const text = decoder.decode(bytes)
      const utf8 = encoder.encode(text)
      const expected = parses(text)
      if (expected) accepted++
      if (isJson(utf8, 0, utf8.length, jsonWords(utf8)) !== expected || isJson(utf8, 0, utf8.length) !== expected)
        throw new Error(`round ${round}: ${JSON.stringify(text)}`)
    }
    // The fuzz must see both sides.
    expect(accepted).toBeGreaterThan(3000)
    expect(accepted).toBeLessThan(57_000)
  })
})
