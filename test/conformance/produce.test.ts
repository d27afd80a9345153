// Producing: what each kind of body is taken for, where its records go, what is answered.

import { expect, test } from 'bun:test'
import {
  call,
  createTopic,
  expectProblem,
  freshTopic,
  get,
  JSON_TYPE,
  NDJSON_TYPE,
  post,
  recordsOf,
  sendJson,
} from './client.ts'
import { forEachTarget } from './target.ts'

const FORM_TYPE = { 'content-type': 'application/x-www-form-urlencoded' }

forEachTarget((target) => {
  const records = (topic: string): string => `/v1/topics/${topic}/records`

  test('one raw value creates the topic, and the answer says where it went', async () => {
    const topic = freshTopic()
    const first = await post(target(), records(topic), 'hello')
    expect(first.status).toBe(200)
    expect(first.json).toMatchObject({ topic, count: 1, as: 'raw', created: true })
    expect(first.json['partitions']).toEqual([
      { partition: 0, baseOffset: 0, lastOffset: 0, count: 1, appendedAt: expect.any(Number) },
    ])
    const second = await post(target(), records(topic), 'world')
    expect(second.json['created']).toBeUndefined()
    const cursor = first.json['cursor'] as string
    expect((await recordsOf(target(), `${records(topic)}?cursor=${cursor}`)).map(({ value }) => value)).toEqual([
      'world',
    ])
  })

  test('bytes of any kind come back as they went in', async () => {
    const topic = freshTopic()
    const bytes = Uint8Array.from({ length: 256 }, (_, i) => i)
    await post(target(), records(topic), bytes, { 'content-type': 'image/png' })
    const [record] = await recordsOf(target(), records(topic))
    expect(record).toMatchObject({ valueBase64: Buffer.from(bytes).toString('base64') })
    const value = await target().fetch(`/v1/topics/${topic}/partitions/0/records/0`)
    expect(new Uint8Array(await value.arrayBuffer())).toEqual(bytes)
    expect(value.headers.get('content-type')).toBe('application/octet-stream')
  })

  test('a raw record takes key, tags, headers and timestamp from the request', async () => {
    const topic = freshTopic()
    await post(target(), `${records(topic)}?key=k%2F1&tags=a,b&timestamp=1700000000000`, 'v', {
      'naru-header-trace': 't1',
    })
    expect(await recordsOf(target(), records(topic))).toEqual([
      {
        partition: 0,
        offset: 0,
        timestamp: 1_700_000_000_000,
        appendedAt: expect.any(Number),
        key: 'k/1',
        value: 'v',
        headers: { trace: 't1' },
        tags: ['a', 'b'],
      } as never,
    ])
  })

  test("curl's form type is one value, JSON where it is JSON, and an array of records is shown the right line", async () => {
    const topic = freshTopic()
    expect((await post(target(), records(topic), 'a=b', FORM_TYPE)).json['as']).toBe('raw')
    expect((await post(target(), records(topic), '{"a":1.50}', FORM_TYPE)).json['as']).toBe('json')
    expectProblem(await post(target(), records(topic), '{"records":[]}', FORM_TYPE), 415, 'unsupported-media-type')
    expect((await get(target(), records(topic))).text).toContain('"value":{"a":1.50}')
  })

  test('application/json: one record, an array, or an envelope; values are kept as the bytes sent', async () => {
    const topic = freshTopic()
    const bodies = [
      '{"value":{"z":1e2,"a":12345678901234567890}}',
      '[{"value":1.0},{"value":null}]',
      '{"records":[{"value":"x"}]}',
    ]
    for (const body of bodies)
      expect((await post(target(), records(topic), body, JSON_TYPE)).json['as']).toBe('records')
    const { text } = await get(target(), records(topic))
    for (const value of ['{"z":1e2,"a":12345678901234567890}', '1.0', 'null', '"x"'])
      expect(text).toContain(`"value":${value}`)
  })

  test('a tombstone needs a key and has no value', async () => {
    const topic = freshTopic()
    expect((await sendJson(target(), 'POST', records(topic), { key: 'k', tombstone: true })).status).toBe(200)
    expectProblem(await sendJson(target(), 'POST', records(topic), { tombstone: true }), 422, 'invalid')
    expect((await recordsOf(target(), records(topic)))[0]).toMatchObject({ key: 'k', tombstone: true })
    expect((await get(target(), `/v1/topics/${topic}/partitions/0/records/0`)).status).toBe(204)
  })

  test('lines of JSON are values, or records; keys and tags are pointed at; blank lines are skipped', async () => {
    const topic = freshTopic()
    const lines = '{"user":{"id":7},"type":"a"}\n\r\n  \n{"user":{"id":"x"}}\n{"user":{"id":null}}'
    const path = `${records(topic)}?keyPointer=/user/id&tagPointer=/type`
    expect((await post(target(), path, lines, NDJSON_TYPE)).json).toMatchObject({ count: 3, as: 'json' })
    const read = await recordsOf(target(), records(topic))
    expect(read.map(({ key }) => key)).toEqual(['7', 'x', undefined])
    expect(read.map(({ tags }) => tags)).toEqual([['a'], undefined, undefined])
    const asRecords = await post(target(), `${records(topic)}?format=record`, '{"key":"r","value":1}\n', NDJSON_TYPE)
    expect(asRecords.json).toMatchObject({ count: 1, as: 'records' })
    expectProblem(await post(target(), path, '{"user":{"id":[1]}}', NDJSON_TYPE), 422, 'invalid')
  })

  test('a bad line in a small body keeps nothing and is named', async () => {
    const topic = freshTopic()
    const answer = await post(target(), records(topic), '1\n\n2\n{oops\n3\n', NDJSON_TYPE)
    expectProblem(answer, 400, 'malformed')
    expect(answer.json['line']).toBe(4)
    expectProblem(await get(target(), records(topic)), 404, 'unknown-topic')
  })

  test('the same key always goes to the same partition, and a partition address overrides it', async () => {
    const topic = freshTopic()
    await createTopic(target(), topic, 4)
    const keys = Array.from({ length: 20 }, (_, i) => `key-${i}`)
    for (const round of [1, 2]) {
      await sendJson(
        target(),
        'POST',
        records(topic),
        keys.map((key) => ({ key, value: round })),
      )
    }
    const read = await recordsOf(target(), records(topic))
    const places = new Map<string, Set<number>>()
    for (const { key, partition } of read) places.set(key!, (places.get(key!) ?? new Set()).add(partition))
    expect([...places.values()].every((partitions) => partitions.size === 1)).toBe(true)
    expect(new Set([...places.values()].flatMap((partitions) => [...partitions])).size).toBeGreaterThan(1)
    const placed = await sendJson(target(), 'POST', `/v1/topics/${topic}/partitions/3/records`, {
      key: 'key-0',
      value: 3,
    })
    expect(placed.json['partitions']).toMatchObject([{ partition: 3 }])
  })

  test('a partition address creates no topic', async () => {
    expectProblem(await post(target(), `/v1/topics/${freshTopic()}/partitions/0/records`, 'x'), 404, 'unknown-topic')
  })

  test('acks=0 is taken without offsets; the record is there', async () => {
    const topic = freshTopic()
    const answer = await post(target(), `${records(topic)}?acks=0`, 'x')
    expect([answer.status, answer.json]).toEqual([202, { topic, count: 1, as: 'raw', created: true }])
    expect(await recordsOf(target(), `${records(topic)}?wait=5s`)).toHaveLength(1)
  })

  test('If-Match appends only at the offset named', async () => {
    const topic = freshTopic()
    await createTopic(target(), topic, 1)
    const path = `/v1/topics/${topic}/partitions/0/records`
    expect((await post(target(), path, 'a', { 'if-match': '"0"' })).status).toBe(200)
    const stale = await post(target(), path, 'b', { 'if-match': '"0"' })
    expectProblem(stale, 412, 'offset-mismatch')
    expect([stale.json['nextOffset'], stale.headers.get('etag')]).toEqual([1, '"1"'])
    expectProblem(await post(target(), path, 'b', { 'if-match': '0' }), 400, 'malformed')
    expectProblem(await post(target(), records(topic), 'b', { 'if-match': '"1"' }), 400, 'malformed')
    expect(await recordsOf(target(), records(topic))).toHaveLength(1)
  })

  test('a query that ends like the address of brokers is none', async () => {
    const topic = freshTopic()
    const answer = await post(target(), `${records(topic)}?key=/v1/peer`, 'a')
    expect(answer.status).toBe(200)
    expect(await recordsOf(target(), records(topic))).toMatchObject([{ key: '/v1/peer', value: 'a' }])
  })

  test('a producer by sequence: repeats get the first offsets, gaps and old epochs are refused with the numbers', async () => {
    const topic = freshTopic()
    await createTopic(target(), topic, 1)
    const { json } = await call(target(), 'POST', '/v1/producers')
    const path = `/v1/topics/${topic}/partitions/0/records`
    const as = (epoch: number, sequence: number): Record<string, string> => ({
      'producer-id': String(json['producerId']),
      'producer-epoch': String(epoch),
      'producer-seq': String(sequence),
    })
    const first = await post(target(), path, 'a', as(0, 0))
    await post(target(), path, 'b', as(0, 1))
    const repeat = await post(target(), path, 'a', as(0, 0))
    expect([repeat.status, repeat.json['partitions']]).toEqual([200, first.json['partitions']])
    const gap = await post(target(), path, 'z', as(0, 9))
    expectProblem(gap, 409, 'gap')
    expect(gap.json['expectedSeq']).toBe(2)
    expect((await post(target(), path, 'c', as(1, 0))).status).toBe(200)
    const fenced = await post(target(), path, 'd', as(0, 2))
    expectProblem(fenced, 409, 'fenced')
    expect(fenced.json['currentEpoch']).toBe(1)
    expectProblem(await post(target(), path, 'd', { 'producer-id': '1' }), 400, 'malformed')
    const streamed = { ...as(1, 1), 'content-type': 'application/x-ndjson', accept: 'application/x-ndjson' }
    expectProblem(await post(target(), path, '1\n', streamed), 400, 'malformed')
    const large = `[${Array(11)
      .fill(`{"value":"${'x'.repeat(900 * 1024)}"}`)
      .join()}]`
    const tooMany = await post(target(), path, large, { ...as(1, 1), 'content-type': 'application/json' })
    expectProblem(tooMany, 422, 'limit-reached')
    expect([tooMany.json['batches'], tooMany.json['batchesMax']]).toEqual([6, 5])
    expectProblem(await post(target(), records(topic), 'd', as(1, 1)), 400, 'malformed')
    expect((await recordsOf(target(), records(topic))).map(({ value }) => value)).toEqual(['a', 'b', 'c'])
  })
})
