// The reader of JSON bodies against a dumb twin: JSON.parse, then a check of each record, on documents that were damaged at
// random. Both must take the same bodies and see the same records in them.

import { isUtf8 } from 'node:buffer'
import { expect, test } from 'bun:test'
import { hostCodec } from '../../../src/edge/host/index.ts'
import { readJsonBody } from '../../../src/edge/wire/records-in.ts'
import { RecordList, type SeenRecord } from './record-list.ts'

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

interface TwinRecord {
  key?: string
  value?: unknown
  text?: string
  tombstone?: true
  headers?: [string, string][]
  tags?: string[]
  timestamp?: number
}

type Json = Record<string, unknown>

const byName = (a: [string, string], b: [string, string]) => (a[0] < b[0] ? -1 : 1)
const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value)

function isBase64(text: unknown): text is string {
  return typeof text === 'string' && /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?$/.test(text)
}

/** As `RecordList` shows bytes that may be no text. */
function textOf(base64: string): string {
  const bytes = Uint8Array.fromBase64(base64)
  return isUtf8(bytes) ? decoder.decode(bytes) : `bytes:${bytes.toHex()}`
}

/** Null: refused. */
function twinRecord(given: unknown): TwinRecord | null {
  if (!isObject(given)) return null
  const fields = new Set(['key', 'keyBase64', 'value', 'valueBase64', 'tombstone', 'headers', 'tags', 'timestamp'])
  for (const name of Object.keys(given)) if (!fields.has(name)) return null
  const has = (name: string) => Object.hasOwn(given, name)
  if (has('key') && has('keyBase64')) return null
  if (['value', 'valueBase64', 'tombstone'].filter(has).length !== 1) return null
  const record: TwinRecord = {}
  if (has('key')) {
    if (typeof given['key'] !== 'string' || !given['key'].isWellFormed()) return null
    record.key = given['key']
  }
  if (has('keyBase64')) {
    if (!isBase64(given['keyBase64'])) return null
    record.key = textOf(given['keyBase64'])
  }
  if (has('value')) record.value = given['value']
  if (has('valueBase64')) {
    if (!isBase64(given['valueBase64'])) return null
    record.text = textOf(given['valueBase64'])
  }
  if (has('tombstone')) {
    if (given['tombstone'] !== true || record.key === undefined) return null
    record.tombstone = true
  }
  if (has('tags')) {
    const tags = given['tags']
    if (!Array.isArray(tags)) return null
    for (const tag of tags) if (typeof tag !== 'string' || tag === '' || !tag.isWellFormed()) return null
    if (tags.length > 0) record.tags = tags as string[]
  }
  if (has('headers')) {
    const headers = given['headers']
    if (!isObject(headers)) return null
    const entries = Object.entries(headers)
    for (const [name, value] of entries) {
      if (typeof value !== 'string' || name === '' || !name.isWellFormed() || !value.isWellFormed()) return null
    }
    // The reader keeps the order sent, where JSON.parse puts names that are numbers first.
    if (entries.length > 0) record.headers = (entries as [string, string][]).sort(byName)
  }
  if (has('timestamp')) {
    const ms = given['timestamp']
    if (typeof ms !== 'number' || !Number.isInteger(ms) || ms < 0 || ms > 253_402_300_799_999) return null
    if (ms >= 1e8 && ms < 1e10) return null
    record.timestamp = ms
  }
  return record
}

function twin(text: string): TwinRecord[] | null {
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch {
    return null
  }
  if (isObject(body) && Object.keys(body)[0] === 'records') {
    if (Object.keys(body).length > 1) return null
    body = body['records']
    if (!Array.isArray(body)) return null
  } else if (!Array.isArray(body)) {
    body = [body]
  }
  const records = (body as unknown[]).map(twinRecord)
  return records.includes(null) ? null : (records as TwinRecord[])
}

function asTwin(seen: SeenRecord): TwinRecord {
  const { value, isJson, ...rest } = seen
  rest.headers?.sort(byName)
  if (isJson) return { ...rest, value: JSON.parse(value!) as unknown }
  return value === undefined ? rest : { ...rest, text: value }
}

const documents = [
  '{"records":[{"key":"k1","value":{"a":[1,2.5e3,true],"b":"x\\ny"}},{"value":null,"tags":["a","bc"]}]}',
  '[{"key":"a\\u0041","tombstone":true},{"valueBase64":"aGVsbG8=","headers":{"h":"v","i":"w"},"timestamp":1700000000000}]',
  '{"value":"some text that is longer than a few words","key":"k","headers":{"name":"value"},"tags":["t"]}',
  '[\n  { "keyBase64" : "a2V5" , "value" : [ ] } ,\n  { "timestamp" : 5 , "value" : { "k" : { } } }\n]',
  '[{"value":1},{"value":2},{"key":"k","value":3},{"value":"","key":"kk"},{"headers":{},"value":-0.5}]',
]
const splices = ['{', '}', '[', ']', ':', ',', '"', '\\', ' ', '\n', '0', '1', '-', '.', 'e', 'k', 'v', 't', '=', '/']
const pieces = [
  '"key":"x",',
  ',"value":1',
  '"value":',
  'null',
  '"tags":["t"],',
  '{"value":1},',
  '\\u0061',
  ',"tombstone":true',
  '""',
]

test('takes what the twin takes, and sees in it what the twin sees', () => {
  let state = 4711
  const random = (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0
    return Math.floor(((state >>> 8) / 0x100_0000) * below)
  }
  let taken = 0
  for (let round = 0; round < 40_000; round++) {
    let text = documents[round % documents.length]!
    for (let edits = random(3); edits >= 0; edits--) {
      const at = random(text.length + 1)
      const kind = random(6)
      if (kind === 0) text = text.slice(0, at) + splices[random(splices.length)]! + text.slice(at)
      else if (kind === 1) text = text.slice(0, at) + splices[random(splices.length)]! + text.slice(at + 1)
      else if (kind === 2) text = text.slice(0, at) + text.slice(at + 1)
      else if (kind === 3) text = text.slice(0, at) + pieces[random(pieces.length)]! + text.slice(at)
      else if (kind === 4) text = text.slice(0, at) + text.slice(at + random(12))
      else text = text.slice(0, at) + text.slice(random(text.length), random(text.length) + 20) + text.slice(at)
    }
    const body = encoder.encode(text)
    const list = new RecordList()
    const fault = readJsonBody(body, list, hostCodec)
    const expected = twin(decoder.decode(body))
    // Two `records` are refused, where JSON.parse would take the last.
    if (fault?.message === 'records is given twice') continue
    if ((fault === null) !== (expected !== null)) {
      throw new Error(`round ${round}: ${fault?.message ?? 'taken'}: ${JSON.stringify(text)}`)
    }
    if (expected === null) continue
    taken++
    if (!Bun.deepEquals(list.records.map(asTwin), expected)) {
      throw new Error(`round ${round}: ${JSON.stringify(list.records)} of ${JSON.stringify(text)}`)
    }
  }
  // Both sides must have been seen.
  expect(taken).toBeGreaterThan(3_000)
  expect(taken).toBeLessThan(30_000)
})
