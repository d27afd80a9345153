import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { limits } from '../../../src/core/base/index.ts'
import { hostCodec } from '../../../src/edge/host/index.ts'
import {
  type BodyFault,
  type LinedBody,
  NdjsonRecords,
  NdjsonValues,
  pointerSteps,
  RecordParameters,
} from '../../../src/edge/wire/records-in.ts'
import { RecordList } from './record-list.ts'

const encoder = new TextEncoder()
const noParameters = RecordParameters.of({}) as RecordParameters

function path(text: string | undefined) {
  return text === undefined ? null : { text, steps: pointerSteps(text)! }
}

interface Pointers {
  key?: string
  tag?: string
}

function valuesReader(list: RecordList, { key, tag }: Pointers = {}): LinedBody {
  return new NdjsonValues(list, hostCodec, noParameters, { key: path(key), tag: path(tag) })
}

const recordsReader = (list: RecordList): LinedBody => new NdjsonRecords(list, hostCodec)

function feed(make: (list: RecordList) => LinedBody, chunks: readonly (string | Uint8Array)[]) {
  const list = new RecordList()
  const body = make(list)
  let fault: BodyFault | null = null
  for (const chunk of chunks) fault ??= body.push(typeof chunk === 'string' ? encoder.encode(chunk) : chunk)
  fault ??= body.end()
  return { fault, records: list.records, sources: list.sources, body }
}

const values = (...chunks: (string | Uint8Array)[]) => feed((list) => valuesReader(list), chunks)
const pointed = (pointers: Pointers, text: string) => feed((list) => valuesReader(list, pointers), [text])

function shownFault(fault: BodyFault | null) {
  return fault === null ? null : `${fault.code} ${fault.line}/${fault.record} ${fault.pointer}: ${fault.message}`
}

describe('values', () => {
  test('a value a line; blank lines, white space and carriage returns around them do not count', () => {
    const { fault, records, sources } = values('{"a": 1}\n\n \t\r\n  [1,\r2] \r\n"x"\n null')
    expect(fault).toBeNull()
    expect(records.map((record) => record.value)).toEqual(['{"a": 1}', '[1,2]', '"x"', 'null'])
    expect(records.every((record) => record.isJson)).toBe(true)
    expect(sources[0]).toBe('{"a": 1}')
  })

  test('nothing at all', () => {
    expect(values().records).toEqual([])
    expect(values('', '\n', '\n').fault).toBeNull()
  })

  test('the same, however the bytes are cut', () => {
    const text = '{"a":"é€😀"}\n[1,2,3]\r\n\n"a text that goes on for a while"\n12\n'
    const bytes = encoder.encode(text)
    const whole = values(bytes)
    expect(whole.records).toHaveLength(4)
    for (let size = 1; size < 40; size++) {
      const chunks = []
      for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size))
      expect(values(...chunks).records).toEqual(whole.records)
    }
  })

  test('lines longer than a slice and a chunk of many slices', () => {
    const long = JSON.stringify('y'.repeat(600_000))
    const text = `1\n${long}\n2\n${'{"k":"v"}\n'.repeat(60_000)}${long}`
    const { fault, records } = values(text)
    expect(fault).toBeNull()
    expect(records).toHaveLength(60_004)
    expect(records[1]!.value).toBe(long)
    expect(records.at(-1)!.value).toBe(long)
  })

  test.each([
    ['1\n{"a"}\n', 'malformed 2/1 : this is not JSON: an unexpected } at byte 4'],
    ['1\n\n\n  {"a":\n1}\n', 'malformed 4/1 : this is not JSON: it ends where more is due'],
    ['1 2\n', 'malformed 1/0 : a line holds one JSON value'],
    ['{}{}', 'malformed 1/0 : a line holds one JSON value'],
    ['hello world', 'malformed 1/0 : this is not JSON: an unexpected h at byte 0'],
    ['1\n2\n[3', 'malformed 3/2 : this is not JSON: it ends where more is due'],
    ['\ufeff1\n', 'malformed 1/0 : this is not JSON: it begins with a byte order mark: leave that out'],
  ])('%j is refused by its line', (text, expected) => {
    expect(shownFault(values(text).fault)).toBe(expected)
  })

  test('a line that is not UTF-8 is refused alone: those before it are kept', () => {
    const chunk = Buffer.concat([Buffer.from('"é"\n\n"b"\n"'), Buffer.from([0xff]), Buffer.from('"\n"c"\n')])
    const { fault, records } = values(chunk)
    expect(shownFault(fault)).toBe('malformed 4/2 : this line is not UTF-8')
    expect(records.map((record) => record.value)).toEqual(['"é"', '"b"'])
  })

  test('nothing is read after a fault', () => {
    const list = new RecordList()
    const body = valuesReader(list)
    const fault = body.push(encoder.encode('1\n}\n2\n'))
    expect(fault).not.toBeNull()
    expect(body.push(encoder.encode('3\n'))).toBe(fault)
    expect(body.end()).toBe(fault)
    expect(list.records).toHaveLength(1)
  })

  test('a line too long is refused as soon as that is certain', () => {
    const list = new RecordList()
    const body = valuesReader(list)
    const chunk = encoder.encode('7'.repeat(65_536))
    let pushed = 0
    let fault: BodyFault | null = body.push(encoder.encode('1\n'))
    while (fault === null && pushed < 2 * limits.LINE_BYTES_MAX) {
      fault = body.push(chunk)
      pushed += chunk.length
    }
    expect(shownFault(fault)).toBe('too-large 2/1 : a line has 2097152 bytes at most')
    expect(pushed).toBe(limits.LINE_BYTES_MAX + 65_536)
    const whole = values(`${'7'.repeat(limits.LINE_BYTES_MAX)}\n${'7'.repeat(limits.LINE_BYTES_MAX + 1)}\n`)
    expect(shownFault(whole.fault)).toBe('too-large 2/1 : a line has 2097152 bytes at most')
  })

  test('parameters hold for every line', () => {
    const parameters = RecordParameters.of({ key: 'k', tags: ['t'], timestamp: 0, headers: [['h', 'v']] })
    const list = new RecordList()
    const body = new NdjsonValues(list, hostCodec, parameters as RecordParameters, { key: null, tag: null })
    body.push(encoder.encode('1\n2\n'))
    const common = { key: 'k', tags: ['t'], timestamp: 0, headers: [['h', 'v']], isJson: true }
    expect(list.records as unknown[]).toEqual([
      { ...common, value: '1' },
      { ...common, value: '2' },
    ])
  })
})

describe('key and tag by pointer', () => {
  test.each([
    ['/id', '{"id":"a"}', 'a'],
    ['/id', '{"id":""}', ''],
    ['/id', '{"x":[{"id":2}],"id" : 12.50e3 }', '12.50e3'],
    ['/id', '{"id":-0}', '-0'],
    ['/id', '{"id":null}', undefined],
    ['/id', '{"ID":"a"}', undefined],
    ['/id', '[{"id":"a"}]', undefined],
    ['/id', '"id"', undefined],
    ['/id', '{}', undefined],
    ['/id', '{"id":"first","id":"last"}', 'last'],
    ['/id', '{"id":{"id":1},"id":"last"}', 'last'],
    ['/id', '{"\\u0069d":"a\\u00e9\\n"}', 'aé\n'],
    ['/i\u00e9', '{"i\\u00e9":"a"}', 'a'],
    ['/i\u00e9', '{"ié":"a"}', 'a'],
    ['', '"whole"', 'whole'],
    ['', '7', '7'],
    ['/', '{"":"empty"}', 'empty'],
    ['/a~1b', '{"a/b":"slash"}', 'slash'],
    ['/m~0n', '{"m~n":"tilde"}', 'tilde'],
    ['/~01', '{"~1":"both"}', 'both'],
    ['/user/id', '{"user":{"name":"x","id":"deep"},"id":"shallow"}', 'deep'],
    ['/user/id', '{"user":{"id":"first"},"user":{}}', undefined],
    ['/user/id', '{"user":{"id":"first"},"user":7}', undefined],
    ['/user/id', '{"user":{},"user":{"id":"second"}}', 'second'],
    ['/list/1', '{"list":["a","b","c"]}', 'b'],
    ['/list/3', '{"list":["a","b","c"]}', undefined],
    ['/list/0/x', '{"list":[ {"x" : "y"} ]}', 'y'],
    ['/list/01', '{"list":["a","b"]}', undefined],
    ['/list/-', '{"list":["a","b"]}', undefined],
    ['/list/1', '{"list":{"1":"member"}}', 'member'],
    ['/0', '[]', undefined],
    ['/0/0', '[["x"]]', 'x'],
  ])('%s in %s is %p', (key, value, expected) => {
    const { fault, records } = pointed({ key }, value)
    expect(fault).toBeNull()
    expect(records[0]!.key as unknown).toBe(expected)
    expect(records[0]!.value).toBe(value)
  })

  test('both at once, from one walk', () => {
    const { records } = pointed(
      { key: '/user/id', tag: '/type' },
      '{"type":"vip","user":{"id":7}}\n{"type":"vip"}\n{"user":{"id":"a"},"type":3}\n{"type":null}\n{"type":""}',
    )
    expect(records.map(({ key, tags }) => [key, tags])).toEqual([
      ['7', ['vip']],
      [undefined, ['vip']],
      ['a', ['3']],
      [undefined, undefined],
      [undefined, undefined],
    ])
    expect(pointed({ tag: '/id', key: '/id' }, '{"id":"same"}').records[0]).toMatchObject({
      key: 'same',
      tags: ['same'],
    })
    expect(pointed({ tag: '/a/b' }, '{"a":{"b":"é\\n"}}').records[0]!.tags).toEqual(['é\n'])
  })

  test.each([
    [{ key: '/id' }, '1\n{"id":{}}', 'invalid 2/1 /id: a key is a string or a number'],
    [{ key: '/id' }, '{"id":[]}', 'invalid 1/0 /id: a key is a string or a number'],
    [{ key: '/id' }, '{"id":true}', 'invalid 1/0 /id: a key is a string or a number'],
    [{ key: '/id' }, '{"id":false}', 'invalid 1/0 /id: a key is a string or a number'],
    [{ key: '/id' }, '{"id":"\\ud800"}', 'invalid 1/0 /id: half of a surrogate pair cannot be stored as UTF-8'],
    [{ key: '/id' }, `{"id":"${'k'.repeat(32769)}"}`, 'invalid 1/0 /id: a key has 32768 bytes at most'],
    [{ tag: '/t' }, '{"t":["a"]}', 'invalid 1/0 /t: a tag is a string or a number'],
    [{ tag: '/t' }, '{"t":true}', 'invalid 1/0 /t: a tag is a string or a number'],
    [{ tag: '/t' }, `{"t":"${'t'.repeat(129)}"}`, 'invalid 1/0 /t: a tag has 128 bytes at most'],
    [{ key: '/id' }, '{"id":1', 'malformed 1/0 : this is not JSON: it ends where more is due'],
    [{ key: '/id' }, '{"id":1]', 'malformed 1/0 : this is not JSON: an unexpected ] at byte 7'],
    [{ key: '/id' }, '{"id"', 'malformed 1/0 : this is not JSON: it ends where more is due'],
    [{ key: '/id' }, '{"id":', 'malformed 1/0 : this is not JSON: it ends where more is due'],
    [{ key: '/id' }, '{', 'malformed 1/0 : this is not JSON: it ends where more is due'],
    [{ key: '/0' }, '[1', 'malformed 1/0 : this is not JSON: it ends where more is due'],
    [{ key: '/0' }, '[', 'malformed 1/0 : this is not JSON: it ends where more is due'],
    [{ key: '/0' }, '[1}', 'malformed 1/0 : this is not JSON: an unexpected } at byte 2'],
  ] as [Pointers, string, string][])('%j of %s is refused', (pointers, text, expected) => {
    expect(shownFault(pointed(pointers, text).fault)).toBe(expected)
  })

  test('values nest as deep with a pointer as without', () => {
    const nested = (depth: number) => '{"a":'.repeat(depth) + '1' + '}'.repeat(depth)
    for (const key of [undefined, '/a/a/a', '/b/0']) {
      const pointers = key === undefined ? {} : { key: '/x', tag: key }
      expect(
        feed((list) => valuesReader(list, key === '/a/a/a' ? { key: '/a/a/b' } : pointers), [nested(256)]).fault,
      ).toBeNull()
      expect(pointed(key === undefined ? {} : { key: '/a/a/b' }, nested(257)).fault?.message).toContain(
        'nested too deep',
      )
    }
  })

  test('finds what a walk through JSON.parse finds', () => {
    const name = fc.constantFrom('a', 'b', '0', '1', 'é', '~', '/', '')
    const leaf = fc.oneof(fc.string(), fc.integer(), fc.constant(null))
    const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
      tree: fc.oneof(
        { depthSize: 'medium' },
        leaf,
        fc.array(tie('tree'), { maxLength: 3 }),
        fc.dictionary(name, tie('tree'), { maxKeys: 4 }),
      ),
    }))
    fc.assert(
      fc.property(tree, fc.array(name, { maxLength: 3 }), (value, steps) => {
        let expected: unknown = value
        for (const step of steps) {
          const isContainer = typeof expected === 'object' && expected !== null && Object.hasOwn(expected, step)
          expected = isContainer ? (expected as Record<string, unknown>)[step] : undefined
        }
        const key = steps.map((step) => `/${step.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
        const { fault, records } = pointed({ key }, JSON.stringify(value))
        if (typeof expected === 'object' && expected !== null) expect(fault?.pointer).toBe(key)
        else
          expect(records[0]!.key).toBe(
            expected === undefined || expected === null ? undefined : `${expected as string}`,
          )
      }),
      { numRuns: 500 },
    )
  })
})

test('says of damaged lines what JSON.parse says, with pointers and without', () => {
  const documents = [
    '{"id":"k1","type":"t","user":{"id":7,"tags":["a","b"]},"note":"some longer text, to go by words"}',
    '{"user":[{"id":"x\\u0041"},null,true],"id":-1.5e3,"id":"last"}',
  ]
  const splices = ['{', '}', '[', ']', ':', ',', '"', '\\', ' ', '\t', '0', '-', '.', 'e', 'n', 'u', '\u0001', 'é']
  let state = 99
  const random = (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0
    return Math.floor(((state >>> 8) / 0x100_0000) * below)
  }
  let accepted = 0
  for (let round = 0; round < 20_000; round++) {
    let text = documents[round % documents.length]!
    for (let edits = random(2); edits >= 0; edits--) {
      const at = random(text.length)
      text = text.slice(0, at) + splices[random(splices.length)]! + text.slice(at + random(3))
    }
    let isValid = true
    try {
      JSON.parse(text)
      accepted++
    } catch {
      isValid = false
    }
    for (const pointers of [{}, { key: '/user/0/id', tag: '/user/id' }] as Pointers[]) {
      const { fault } = pointed(pointers, text)
      if ((fault?.code === 'malformed') === isValid) throw new Error(`${fault?.message}: ${JSON.stringify(text)}`)
    }
  }
  expect(accepted).toBeGreaterThan(2_000)
  expect(accepted).toBeLessThan(18_000)
})

test('pointers that are none', () => {
  for (const text of ['id', '/a~2', '/~', '#/a', '/\ud800', '/a'.repeat(33)]) expect(pointerSteps(text)).toBeNull()
  expect(pointerSteps('')).toEqual([])
  expect(pointerSteps('/a//b~1~0')).toEqual(['a', '', 'b/~'])
})

describe('records', () => {
  test('a record a line', () => {
    const { fault, records, sources } = feed(recordsReader, [
      '{"key":"a","value":{"x":1}}\r\n\n  {"key":"b","tom',
      'bstone":true} \n{"value":[1,\r2],"tags":["t"]}',
    ])
    expect(fault).toBeNull()
    expect(records).toEqual([
      { key: 'a', value: '{"x":1}', isJson: true },
      { key: 'b', tombstone: true },
      { value: '[1,2]', isJson: true, tags: ['t'] },
    ])
    expect(sources[1]).toBe('{"key":"b","tombstone":true}')
  })

  test.each([
    ['{"value":1}\n\n{"valeu":1}\n', 'invalid 3/1 /valeu: unknown field: did you mean value?'],
    ['{"value":1}\n {"value":}\n', 'malformed 2/1 : this is not JSON: an unexpected } at byte 10'],
    ['7\n', 'invalid 1/0 : a record is an object, such as {"value": 1}'],
    ['{"value":1}{"value":2}', 'malformed 1/0 : a line holds one JSON value'],
    ['{"value":\n1}', 'malformed 1/0 : this is not JSON: it ends where more is due'],
  ])('%j is refused by its line', (text, expected) => {
    expect(shownFault(feed(recordsReader, [text]).fault)).toBe(expected)
  })

  test('a line that is not UTF-8', () => {
    const chunk = Buffer.concat([Buffer.from('{"value":"a"}\n{"value":"'), Buffer.from([0xc0]), Buffer.from('"}\n')])
    expect(shownFault(feed(recordsReader, [chunk]).fault)).toBe('malformed 2/1 : this line is not UTF-8')
  })
})
