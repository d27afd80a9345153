import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { limits } from '../../../src/core/base/index.ts'
import { hostCodec } from '../../../src/edge/host/index.ts'
import { readJsonBody } from '../../../src/edge/wire/records-in.ts'
import { RecordList } from './record-list.ts'

const encoder = new TextEncoder()

function read(body: string | Uint8Array) {
  const list = new RecordList()
  const fault = readJsonBody(typeof body === 'string' ? encoder.encode(body) : body, list, hostCodec)
  return { fault, records: list.records, sources: list.sources }
}

/** The records of a body that must be taken. */
function records(body: string) {
  const { fault, records } = read(body)
  expect(fault).toBeNull()
  return records
}

function fault(body: string | Uint8Array) {
  const { fault } = read(body)
  return fault === null ? null : `${fault.code} ${fault.pointer}: ${fault.message}`
}

describe('what is taken', () => {
  test('one record, an array, and an object of records', () => {
    const one = [{ value: '1', isJson: true }] as const
    expect(records('{"value":1}')).toEqual([...one])
    expect(records(' [ { "value" : 1 } ] ')).toEqual([...one])
    expect(records(' { "records" : [ {"value":1} ] } ')).toEqual([...one])
    expect(records('{"\\u0072ecords":[{"value":1}]}')).toEqual([...one])
    expect(records('[{"value":1},{"value":2},{"value":3}]')).toHaveLength(3)
  })

  test('white space anywhere, and members in any order', () => {
    const plain = [{ key: 'k', value: '[ 1 ]', isJson: true }] as const
    const pieces = ['{', '"key"', ':', '"k"', ',', '"value"', ':', '[ 1 ]', '}']
    const turned = ['{', '"value"', ':', '[ 1 ]', ',', '"key"', ':', '"k"', '}']
    for (let places = 0; places < 2 ** pieces.length; places++) {
      for (const order of [pieces, turned]) {
        const body = order.map((piece, i) => (places & (1 << i) ? ` ${piece}` : piece)).join('')
        expect(read(body)).toMatchObject({ fault: null, records: plain })
        expect(read(`${body.slice(0, -1)},"tags":[]}`)).toMatchObject({ fault: null, records: plain })
      }
    }
  })

  test('a body cut anywhere is not JSON', () => {
    const body = '[{"key":"k","value":{"a":"b"}},{"value":1,"key":"\\n"},{"key":"a","tombstone":true}]'
    for (let end = 1; end < body.length; end++) {
      expect([end, fault(body.slice(0, end))]).toEqual([end, 'malformed : this is not JSON: it ends where more is due'])
    }
  })

  test('no records', () => {
    expect(records('[]')).toEqual([])
    expect(records('{"records":[ ]}')).toEqual([])
  })

  test('every field', () => {
    const body = `{"key":"k","value":{"a":1},"headers":{"h":"v","é":"€"},"tags":["a","b"],"timestamp":1700000000000}`
    expect(records(body)).toEqual([
      {
        key: 'k',
        value: '{"a":1}',
        isJson: true,
        headers: [
          ['h', 'v'],
          ['é', '€'],
        ],
        tags: ['a', 'b'],
        timestamp: 1700000000000,
      },
    ])
    expect(records('{"keyBase64":"/+8=","valueBase64":"aGk"}')).toEqual([{ key: 'bytes:ffef', value: 'hi' }])
    expect(records('{"valueBase64":"aGk=","keyBase64":""}')).toEqual([{ key: '', value: 'hi' }])
    expect(records('{"valueBase64":"\\/+8="}')).toEqual([{ value: 'bytes:ffef' }])
    expect(records('{"key":"k","tombstone":true}')).toEqual([{ key: 'k', tombstone: true }])
    expect(records('{"key":"","value":null}')).toEqual([{ key: '', value: 'null', isJson: true }])
    expect(records('{"value":0,"tags":[],"headers":{},"timestamp":0}')).toEqual([
      { value: '0', isJson: true, timestamp: 0 },
    ])
    expect(records('{"value":0,"timestamp":1.7e12}')).toEqual([{ value: '0', isJson: true, timestamp: 1.7e12 }])
  })

  test('a record does not see the one before it', () => {
    const full = '{"key":"k","valueBase64":"aGk=","headers":{"h":"v"},"tags":["a"],"timestamp":1700000000000}'
    expect(records(`[${full},{"value":1},{"key":"z","tombstone":true}]`).slice(1)).toEqual([
      { value: '1', isJson: true },
      { key: 'z', tombstone: true },
    ])
  })

  test.each([
    '12345678901234567890.1234567890e+100',
    '-0',
    '{"b":1,"a":2,"b":3}',
    '"\\u00e9\\ud800 é"',
    '{ "a" : [ 1 , 2 ] }',
    '[]',
    'true',
  ])('the value %s as the bytes sent', (value) => {
    expect(records(`[{"value":${value}}]`)).toEqual([{ value, isJson: true }])
  })

  test('line breaks between the tokens of a value are taken out, those in strings were never there', () => {
    const pretty = '{\r\n  "a": [\n    1,\r2\n  ],\n  "b": "x\\ny"\n}'
    expect(records(`{"value":\n${pretty}\n}`)).toEqual([{ value: '{  "a": [    1,2  ],  "b": "x\\ny"}', isJson: true }])
    expect(records(`[{"value":{"a":1}},\n{"value":\n[\n]\n}]`).map((record) => record.value)).toEqual(['{"a":1}', '[]'])
  })

  test('keys with escapes are decoded', () => {
    expect(records('{"key":"a\\u00e9\\n\\ud83d\\ude00","value":1}')).toEqual([
      { key: 'aé\n😀', value: '1', isJson: true },
    ])
  })

  test('names written with escapes, and names that come twice, mean what they mean to JSON.parse', () => {
    expect(records('{"\\u006bey":"a","va\\u006cue":1}')).toEqual([{ key: 'a', value: '1', isJson: true }])
    expect(records('{"key":"a","value":1,"key":"b","value":2}')).toEqual([{ key: 'b', value: '2', isJson: true }])
    expect(records('{"key":7,"value":1,"key":"b"}')).toEqual([{ key: 'b', value: '1', isJson: true }])
    expect(records('{"value":1,"headers":{"a":"1","b":"2","a":"3"}}')[0]!.headers).toEqual([
      ['a', '3'],
      ['b', '2'],
    ])
    expect(records('{"value":1,"headers":{"a\\u0062":"\\"","c":"\\\\"}}')[0]!.headers).toEqual([
      ['ab', '"'],
      ['c', '\\'],
    ])
  })

  test('as many headers as the limit, in the order sent', () => {
    const headers = Array.from(
      { length: limits.RECORD_HEADERS_MAX },
      (_, i) => [`h${i}`, 'x'.repeat(i)] as [string, string],
    )
    const body = JSON.stringify({ value: 1, headers: Object.fromEntries(headers) })
    expect(records(body)[0]!.headers).toEqual(headers)
    const long: [string, string] = ['long', 'y'.repeat(300)]
    expect(records(JSON.stringify({ value: 1, headers: Object.fromEntries([long]) }))[0]!.headers).toEqual([long])
  })

  test('a Buffer, at any place of its memory', () => {
    const text = '[{"key":"k","value":"a rather long text to go by words"}]'
    for (let shift = 0; shift < 5; shift++) {
      const body = Buffer.concat([Buffer.alloc(shift), Buffer.from(text)]).subarray(shift)
      expect(read(body).records).toEqual([{ key: 'k', value: '"a rather long text to go by words"', isJson: true }])
    }
  })

  test('the source of each record is its own text', () => {
    expect(read('{"records":[{"value":1} , {"key":"é","value":2}]}').sources).toEqual([
      '{"value":1}',
      '{"key":"é","value":2}',
    ])
    expect(read(' {"value":1} ').sources).toEqual(['{"value":1}'])
  })

  test('records before a fault have been handed on', () => {
    const { fault, records } = read('[{"value":1},{"value":2},{"valeu":3}]')
    expect(records).toHaveLength(2)
    expect(fault).toMatchObject({ record: 2, pointer: '/2/valeu', line: null })
  })
})

describe('what is refused', () => {
  test.each([
    // syntax
    ['', 'malformed : the body is empty'],
    [' \n', 'malformed : the body is empty'],
    ['{', 'malformed : this is not JSON: it ends where more is due'],
    ['[', 'malformed : this is not JSON: it ends where more is due'],
    ['[{"value":1}', 'malformed : this is not JSON: it ends where more is due'],
    ['[{"value":1},', 'malformed : this is not JSON: it ends where more is due'],
    ['[{"value":1},]', 'malformed : this is not JSON: an unexpected ] at byte 13'],
    ['[{"value":1}}', 'malformed : this is not JSON: an unexpected } at byte 12'],
    ['[{"value":1} {"value":1}]', 'malformed : this is not JSON: an unexpected { at byte 13'],
    ['{"value":1}{"value":2}', 'malformed : this is not JSON: an unexpected { at byte 11'],
    ['{"value":1} x', 'malformed : this is not JSON: an unexpected x at byte 12'],
    ['{"value":01}', 'malformed : this is not JSON: an unexpected 1 at byte 10'],
    ['{"value":"a\nb"}', 'malformed : this is not JSON: an unescaped control character at byte 11'],
    ["{'value':1}", "malformed : this is not JSON: an unexpected ' at byte 1"],
    ['{"value" 1}', 'malformed : this is not JSON: an unexpected 1 at byte 9'],
    ['{"value":1,}', 'malformed : this is not JSON: an unexpected } at byte 11'],
    ['{"value":é}', 'malformed : this is not JSON: an unexpected character at byte 9'],
    ['\ufeff{"value":1}', 'malformed : this is not JSON: it begins with a byte order mark: leave that out'],
    ['{"records":[]', 'malformed : this is not JSON: it ends where more is due'],
    ['{"records":[],', 'malformed : this is not JSON: it ends where more is due'],
    ['{"records":[]]', 'malformed : this is not JSON: an unexpected ] at byte 13'],
    ['{"records":', 'malformed : this is not JSON: it ends where more is due'],
    ['{"records":x}', 'malformed : this is not JSON: an unexpected x at byte 11'],
    ['{"records"', 'malformed : this is not JSON: it ends where more is due'],
    ['hello', 'malformed : this is not JSON: an unexpected h at byte 0'],
    ['nul', 'malformed : this is not JSON: it ends where more is due'],
    [`{"value":${'['.repeat(300)}${']'.repeat(300)}}`, 'malformed : this is not JSON: nested too deep at byte 265'],
    [
      `[{"value":${'['.repeat(250)}${']'.repeat(250)}},{"value":[}]`,
      'malformed : this is not JSON: an unexpected } at byte 522',
    ],
    ['{"key":"\\u{41}"}', 'malformed : this is not JSON: an unexpected { at byte 10'],
    ['{"key":"\\[', 'malformed : this is not JSON: an unexpected [ at byte 9'],
    ['{"value":{[}}', 'malformed : this is not JSON: an unexpected [ at byte 10'],
    // the body as a whole
    ['42', 'invalid : a body is {"records": […]}, an array of records or one record, such as {"value": 1}'],
    ['"hi"', 'invalid : a body is {"records": […]}, an array of records or one record, such as {"value": 1}'],
    ['{"records":{}}', 'invalid /records: records is an array'],
    ['{"records":[],"x":1}', 'invalid /x: unknown field beside records'],
    ['{"records":[],"records":[]}', 'invalid /records: records is given twice'],
    ['[1]', 'invalid /0: a record is an object, such as {"value": 1}'],
    ['{"records":[{"value":1},"a"]}', 'invalid /records/1: a record is an object, such as {"value": 1}'],
    ['[[]]', 'invalid /0: a record is an object, such as {"value": 1}'],
    // fields
    [
      '{"records":[{"value":1},{"value":1},{"value":1},{"valeu":1}]}',
      'invalid /records/3/valeu: unknown field: did you mean value?',
    ],
    ['{"Value":1}', 'invalid /Value: unknown field: did you mean value?'],
    ['{"time_stamp":1}', 'invalid /time_stamp: unknown field: did you mean timestamp?'],
    ['{"tag":["a"],"value":1}', 'invalid /tag: unknown field: did you mean tags?'],
    ['{"header":{},"value":1}', 'invalid /header: unknown field: did you mean headers?'],
    ['{"value_base64":"","value":1}', 'invalid /value_base64: unknown field: did you mean valueBase64?'],
    [
      '{"a/b~c":1}',
      'invalid /a~1b~0c: unknown field: a record has key, keyBase64, value, valueBase64, tombstone, headers, tags, timestamp',
    ],
    ['{"ke\\u0079s":1}', 'invalid /keys: unknown field: did you mean key?'],
    [
      '{"":1}',
      'invalid /: unknown field: a record has key, keyBase64, value, valueBase64, tombstone, headers, tags, timestamp',
    ],
    [
      '{"__proto__":1,"value":1}',
      'invalid /__proto__: unknown field: a record has key, keyBase64, value, valueBase64, tombstone, headers, tags, timestamp',
    ],
    ['{"offset":1,"value":1}', "invalid /offset: offset is not the sender's to set: leave it out"],
    ['{"value":1,"partition":0}', "invalid /partition: partition is not the sender's to set: leave it out"],
    ['{"value":1,"deliverAt":0}', 'unsupported /deliverAt: deliverAt is not supported yet'],
    ['[{"value":1,"delayMs":0}]', 'unsupported /0/delayMs: delayMs is not supported yet'],
    ['{"value":1,"ttlMs":0}', 'unsupported /ttlMs: ttlMs is not supported yet'],
    // values
    ['{}', 'invalid /value: this is missing: a record has a value (null is one), valueBase64, or tombstone'],
    [
      '[{"key":"a"}]',
      'invalid /0/value: this is missing: a record has a value (null is one), valueBase64, or tombstone',
    ],
    ['{"value":1,"valueBase64":""}', 'invalid /valueBase64: a record has one of value, valueBase64 and tombstone'],
    [
      '{"key":"a","tombstone":true,"value":1}',
      'invalid /tombstone: a record has one of value, valueBase64 and tombstone',
    ],
    ['{"tombstone":true}', 'invalid /tombstone: a tombstone needs a key'],
    ['{"key":"a","tombstone":false}', 'invalid /tombstone: this can only be true: leave it out where there is a value'],
    [
      '{"key":"a","tombstone":"true"}',
      'invalid /tombstone: this can only be true: leave it out where there is a value',
    ],
    ['{"valueBase64":"a"}', 'invalid /valueBase64: this is not base64 (RFC 4648, standard alphabet)'],
    ['{"valueBase64":"aGk==="}', 'invalid /valueBase64: this is not base64 (RFC 4648, standard alphabet)'],
    ['{"valueBase64":"aG k="}', 'invalid /valueBase64: this is not base64 (RFC 4648, standard alphabet)'],
    ['{"valueBase64":"aG-_"}', 'invalid /valueBase64: this is not base64 (RFC 4648, standard alphabet)'],
    ['{"valueBase64":"é"}', 'invalid /valueBase64: this is not base64 (RFC 4648, standard alphabet)'],
    ['{"valueBase64":7}', 'invalid /valueBase64: this is not base64 (RFC 4648, standard alphabet)'],
    // keys
    ['{"key":1,"value":1}', 'invalid /key: a key is a string; other bytes go into keyBase64'],
    ['{"key":null,"value":1}', 'invalid /key: a key is a string; other bytes go into keyBase64'],
    ['{"key":"a","keyBase64":"","value":1}', 'invalid /keyBase64: a record has key or keyBase64, not both'],
    ['{"keyBase64":"?","value":1}', 'invalid /keyBase64: this is not base64 (RFC 4648, standard alphabet)'],
    ['{"key":"\\ud800","value":1}', 'invalid /key: half of a surrogate pair cannot be stored as UTF-8'],
    [`{"key":"${'k'.repeat(limits.KEY_BYTES_MAX + 1)}","value":1}`, 'too-large /key: a key has 32768 bytes at most'],
    [`{"keyBase64":"${'a'.repeat(44000)}","value":1}`, 'too-large /keyBase64: a key has 32768 bytes at most'],
    // tags
    ['{"value":1,"tags":"a"}', 'invalid /tags: tags are an array of strings'],
    ['{"value":1,"tags":null}', 'invalid /tags: tags are an array of strings'],
    ['{"value":1,"tags":["a",1]}', 'invalid /tags/1: a tag is a string'],
    ['{"value":1,"tags":["a",""]}', 'invalid /tags/1: a tag is not empty'],
    ['{"value":1,"tags":["\\udc00"]}', 'invalid /tags/0: half of a surrogate pair cannot be stored as UTF-8'],
    [`{"value":1,"tags":["${'é'.repeat(65)}"]}`, 'invalid /tags/0: a tag has 128 bytes at most'],
    [
      `{"value":1,"tags":[${Array.from({ length: 65 }, (_, i) => `"${i}"`)}]}`,
      'too-large /tags: a record has 64 tags at most',
    ],
    // headers
    ['{"value":1,"headers":[]}', 'invalid /headers: headers are an object of strings'],
    ['{"value":1,"headers":null}', 'invalid /headers: headers are an object of strings'],
    ['{"value":1,"headers":{"a":1}}', 'invalid /headers/a: the value of a header is a string'],
    ['{"value":1,"headers":{"a/b":null}}', 'invalid /headers/a~1b: the value of a header is a string'],
    ['{"value":1,"headers":{"":"x"}}', 'invalid /headers/: a header has a name'],
    ['{"value":1,"headers":{"a":"\\ud800"}}', 'invalid /headers/a: half of a surrogate pair cannot be stored as UTF-8'],
    [
      `{"value":1,"headers":{"a":"${'x'.repeat(8192)}"}}`,
      'too-large /headers: headers take 8192 bytes at most, as stored',
    ],
    [
      JSON.stringify({ value: 1, headers: Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`h${i}`, ''])) }),
      'too-large /headers: a record has 64 headers at most',
    ],
    // timestamps
    [
      '{"value":1,"timestamp":"2026-01-01"}',
      'invalid /timestamp: a timestamp is a whole number of milliseconds since 1970',
    ],
    ['{"value":1,"timestamp":1.5}', 'invalid /timestamp: a timestamp is a whole number of milliseconds since 1970'],
    ['{"value":1,"timestamp":-1}', 'invalid /timestamp: a timestamp is a whole number of milliseconds since 1970'],
    ['{"value":1,"timestamp":null}', 'invalid /timestamp: a timestamp is a whole number of milliseconds since 1970'],
    ['{"value":1,"timestamp":true}', 'invalid /timestamp: a timestamp is a whole number of milliseconds since 1970'],
    ['{"value":1,"timestamp":1e999}', 'invalid /timestamp: a timestamp is a whole number of milliseconds since 1970'],
    [
      '{"value":1,"timestamp":1700000000}',
      'invalid /timestamp: this looks like seconds: a timestamp is in milliseconds',
    ],
    [
      '{"value":1,"timestamp":1700000000000000}',
      'invalid /timestamp: this is beyond the year 9999: a timestamp is in milliseconds',
    ],
  ])('%.60s', (body, expected) => {
    expect(fault(body)).toBe(expected)
  })

  test('bytes that are not UTF-8', () => {
    expect(fault(Uint8Array.from([0x22, 0xff, 0x22]))).toBe('malformed : the body is not UTF-8')
  })
})

test('gives back any values and keys, wherever they lie', () => {
  const record = fc.record({ key: fc.string({ unit: 'grapheme' }), value: fc.jsonValue() })
  fc.assert(
    fc.property(fc.array(record, { maxLength: 5 }), fc.constantFrom(undefined, 1), (given, indent) => {
      const seen = records(JSON.stringify({ records: given }, null, indent))
      const parsed = seen.map(({ key, value }) => ({ key, value: JSON.parse(value!) }))
      expect(JSON.stringify(parsed)).toBe(JSON.stringify(given))
      for (const { value } of seen) expect(value).not.toMatch(/[\r\n]/)
    }),
  )
})
