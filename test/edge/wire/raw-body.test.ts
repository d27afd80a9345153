import { describe, expect, test } from 'bun:test'
import { hostCodec } from '../../../src/edge/host/index.ts'
import {
  type GivenParameters,
  readFormBody,
  readRawBody,
  RecordParameters,
  TextLines,
} from '../../../src/edge/wire/records-in.ts'
import { RecordList } from './record-list.ts'

const encoder = new TextEncoder()

function parameters(given: GivenParameters = {}): RecordParameters {
  const made = RecordParameters.of(given)
  if (made instanceof RecordParameters) return made
  throw new Error(made.message)
}

describe('one raw value', () => {
  function read(body: string | Uint8Array, given?: GivenParameters) {
    const list = new RecordList()
    const fault = readRawBody(typeof body === 'string' ? encoder.encode(body) : body, parameters(given), list)
    return { fault, records: list.records, sources: list.sources }
  }

  test('is the bytes sent', () => {
    expect(read('{"a":1}\r\n')).toEqual({ fault: null, records: [{ value: '{"a":1}\r\n' }], sources: ['{"a":1}\r\n'] })
    expect(read('').records).toEqual([{ value: '' }])
    expect(read(Buffer.from([0xff, 0])).records).toEqual([{ value: 'bytes:ff00' }])
  })

  test('with what the request says of it', () => {
    const given = { key: 'é', tags: ['a', 'b'], timestamp: 1_700_000_000_000, headers: new Map([['h', 'v']]) }
    expect(read('x', given).records).toEqual([
      { key: 'é', value: 'x', tags: ['a', 'b'], timestamp: 1_700_000_000_000, headers: [['h', 'v']] },
    ])
  })

  test('a tombstone has a key and no value', () => {
    expect(read('', { key: 'k', isTombstone: true }).records).toEqual([{ key: 'k', tombstone: true }])
    expect(read('x', { key: 'k', isTombstone: true }).fault).toMatchObject({ code: 'invalid', pointer: '/tombstone' })
  })

  test.each([
    [{ isTombstone: true }, 'invalid /tombstone: a tombstone needs a key'],
    [{ key: 'k'.repeat(32769) }, 'too-large /key: a key has 32768 bytes at most'],
    [{ tags: ['a', ''] }, 'invalid /tags/1: a tag is not empty'],
    [{ tags: Array.from({ length: 65 }, (_, i) => `${i}`) }, 'too-large /tags: a record has 64 tags at most'],
    [{ timestamp: 1_700_000_000 }, 'invalid /timestamp: this looks like seconds: a timestamp is in milliseconds'],
    [{ timestamp: Number.NaN }, 'invalid /timestamp: a timestamp is a whole number of milliseconds since 1970'],
    [{ headers: [['', 'v']] }, 'invalid /headers/: a header has a name'],
    [{ headers: [['h', 'v'.repeat(9000)]] }, 'too-large /headers: headers take 8192 bytes at most, as stored'],
  ] as [GivenParameters, string][])('%.50j is refused', (given, expected) => {
    const fault = RecordParameters.of(given)
    if (fault instanceof RecordParameters) throw new Error('was taken')
    expect(`${fault.code} ${fault.pointer}: ${fault.message}`).toBe(expected)
  })
})

describe('what curl -d sends', () => {
  function read(body: string | Uint8Array, given?: GivenParameters) {
    const list = new RecordList()
    const bytes = typeof body === 'string' ? encoder.encode(body) : body
    return { outcome: readFormBody(bytes, parameters(given), list, hostCodec), records: list.records }
  }

  test.each(['hello', 'a=b&c=d', '"text"', '42', 'null', '{"a":1', '[1]]', '{a:1}', '', ' ', '{"a":"\\x"}'])(
    '%j is raw',
    (body) => {
      expect(read(body)).toEqual({ outcome: { as: 'raw' }, records: [{ value: body }] })
    },
  )

  test.each([
    ['{"a":1}', '{"a":1}'],
    [' [1, 2]\n', '[1, 2]'],
    ['{\n"records": 7\n}', '{"records": 7}'],
    ['[{"records":[]}]', '[{"records":[]}]'],
    ['{"x":{"records":[]}}', '{"x":{"records":[]}}'],
    ['{"records":[],"records":1}', '{"records":[],"records":1}'],
  ])('%j is JSON', (body, value) => {
    expect(read(body)).toEqual({ outcome: { as: 'json' }, records: [{ value, isJson: true }] })
  })

  test('parameters hold for either', () => {
    expect(read('{}', { key: 'k' }).records).toEqual([{ key: 'k', value: '{}', isJson: true }])
    expect(read('x', { key: 'k' }).records).toEqual([{ key: 'k', value: 'x' }])
    expect(read('', { key: 'k', isTombstone: true }).records).toEqual([{ key: 'k', tombstone: true }])
    expect(read('{}', { key: 'k', isTombstone: true }).outcome).toMatchObject({ pointer: '/tombstone' })
  })

  test('JSON that is not UTF-8 is raw', () => {
    expect(read(Uint8Array.from([0x5b, 0x22, 0xff, 0x22, 0x5d]))).toEqual({
      outcome: { as: 'raw' },
      records: [{ value: 'bytes:5b22ff225d' }],
    })
  })

  test.each(['{"records":[{"value":1}]}', ' { "x":1, "\\u0072ecords" : [] } ', '{"records":1,"records":[]}'])(
    '%s is meant as records',
    (body) => {
      const { outcome, records } = read(body)
      expect(outcome).toMatchObject({ code: 'unsupported-media', pointer: '/records' })
      expect((outcome as { message: string }).message).toContain('curl --json')
      expect(records).toEqual([])
    },
  )
})

describe('lines of text', () => {
  function read(chunks: readonly (string | Uint8Array)[], given?: GivenParameters) {
    const list = new RecordList()
    const lines = new TextLines(list, parameters(given))
    for (const chunk of chunks) {
      expect(lines.push(typeof chunk === 'string' ? encoder.encode(chunk) : chunk)).toBeNull()
    }
    expect(lines.end()).toBeNull()
    return { values: list.records.map((record) => record.value), list, lines }
  }

  test('are values without their endings; empty ones are skipped', () => {
    expect(read(['one\n\ntwo\r\n\r\n three \n{"a":1}\nlast']).values).toEqual([
      'one',
      'two',
      ' three ',
      '{"a":1}',
      'last',
    ])
    expect(read(['a\rb\r\r\n']).values).toEqual(['a\rb\r'])
    expect(read(['a\r']).values).toEqual(['a'])
    expect(read([]).values).toEqual([])
  })

  test('may hold any bytes', () => {
    expect(read([Uint8Array.from([0xff, 0, 0x0a, 0xc3])]).values).toEqual(['bytes:ff00', 'bytes:c3'])
  })

  test('however they are cut', () => {
    const bytes = encoder.encode('first line\nsecond é line\r\n\nthird')
    for (let size = 1; size < bytes.length; size++) {
      const chunks = []
      for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size))
      const { values, lines } = read(chunks)
      expect(values).toEqual(['first line', 'second é line', 'third'])
      expect([lines.lineCount, lines.recordCount]).toEqual([4, 3])
    }
  })

  test('a chunk may be used again as soon as it is pushed', () => {
    const list = new RecordList()
    const lines = new TextLines(list, parameters())
    const chunk = encoder.encode('begun')
    lines.push(chunk)
    chunk.fill(0x78)
    lines.push(encoder.encode(' and done\n'))
    expect(list.records).toEqual([{ value: 'begun and done' }])
  })

  test('share the parameters', () => {
    const { list } = read(['a\nb\n'], { key: 'k', tags: ['t'] })
    expect(list.records).toEqual([
      { key: 'k', value: 'a', tags: ['t'] },
      { key: 'k', value: 'b', tags: ['t'] },
    ])
  })
})
