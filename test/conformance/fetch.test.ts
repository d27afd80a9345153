// Reading: where from, how much, how long, in which form, and what a cursor promises.

import { expect, test } from 'bun:test'
import {
  call,
  createTopic,
  expectProblem,
  freshTopic,
  get,
  NDJSON,
  NDJSON_TYPE,
  post,
  recordsOf,
  sendJson,
} from './client.ts'
import { forEachTarget } from './target.ts'

forEachTarget((target) => {
  const records = (topic: string): string => `/v1/topics/${topic}/records`
  const values = async (path: string): Promise<unknown[]> => (await recordsOf(target(), path)).map(({ value }) => value)

  async function topicOf(count: number): Promise<string> {
    const topic = freshTopic()
    await post(target(), records(topic), Array.from({ length: count }, (_, i) => `${i}\n`).join(''), NDJSON_TYPE)
    return topic
  }

  test('from: earliest, latest, the last N, an offset of one partition', async () => {
    const topic = await topicOf(5)
    const path = records(topic)
    expect(await values(path)).toEqual([0, 1, 2, 3, 4])
    expect(await values(`${path}?from=earliest&limit=2`)).toEqual([0, 1])
    expect(await values(`${path}?from=latest`)).toEqual([])
    expect(await values(`${path}?from=-2`)).toEqual([3, 4])
    expect(await values(`${path}?from=-99`)).toEqual([0, 1, 2, 3, 4])
    expect(await values(`/v1/topics/${topic}/partitions/0/records?from=3`)).toEqual([3, 4])
    expectProblem(await get(target(), `${path}?from=3`), 422, 'invalid')
  })

  test('from a time, however it is written', async () => {
    const topic = await topicOf(1)
    const appendedAt = (await get(target(), records(topic))).json['records'] as { appendedAt: number }[]
    const ms = appendedAt[0]!.appendedAt
    const later = new Date(ms + 60_000).toISOString()
    const offset = new Date(ms - 60_000 + 9 * 3_600_000).toISOString().replace('Z', '+09:00')
    for (const time of [String(ms), '-1h', new Date(ms).toISOString(), offset, encodeURIComponent(offset)]) {
      expect([time, await values(`${records(topic)}?from=@${time}`)]).toEqual([time, [0]])
    }
    expect(await values(`${records(topic)}?from=@${later}`)).toEqual([])
    expect(await values(`${records(topic)}?until=@${new Date(ms - 1).toISOString()}`)).toEqual([])
    for (const time of [Math.floor(ms / 1_000), '2026-01-31T09:00:00', '2026-02-31T09:00:00Z'.replace('31', '99')]) {
      expectProblem(await get(target(), `${records(topic)}?from=@${time}`), 422, 'invalid')
    }
    expectProblem(await get(target(), `${records(topic)}?from=@yesterday`), 400, 'malformed')
  })

  test('until bounds the read, and says when its end is reached', async () => {
    const topic = await topicOf(3)
    const before = await get(target(), `${records(topic)}?from=latest`)
    await post(target(), records(topic), '3\n4\n', NDJSON_TYPE)
    const bounded = await get(target(), `${records(topic)}?until=${String(before.json['cursor'])}&wait=5s`)
    expect((bounded.json['records'] as unknown[]).length).toBe(3)
    expect(bounded.json['caughtUp']).toBe(true)
  })

  test('a cursor goes on where the answer ended; pages add up', async () => {
    const topic = await topicOf(25)
    const seen: unknown[] = []
    let cursor = ''
    for (let pages = 0; pages < 10; pages++) {
      const { json } = await get(target(), `${records(topic)}?limit=7${cursor === '' ? '' : `&cursor=${cursor}`}`)
      const page = json['records'] as { value: unknown }[]
      seen.push(...page.map(({ value }) => value))
      cursor = json['cursor'] as string
      expect(cursor).toMatch(/^[A-Za-z0-9._-]+$/)
      expect(json['caughtUp']).toBe(seen.length === 25)
      if (page.length === 0) break
    }
    expect(seen).toEqual(Array.from({ length: 25 }, (_, i) => i))
  })

  test('a cursor by hand works on one topic; a partition it does not name starts at its first record', async () => {
    const topic = freshTopic()
    await createTopic(target(), topic, 2)
    for (const partition of [0, 1]) {
      await post(target(), `/v1/topics/${topic}/partitions/${partition}/records`, '1\n2\n', NDJSON_TYPE)
    }
    const read = await recordsOf(target(), `${records(topic)}?cursor=0.1`)
    expect(read.map(({ partition, offset }) => `${partition}.${offset}`).toSorted()).toEqual(['0.1', '1.0', '1.1'])
    const both = `/v1/records?topics=${topic},${await topicOf(1)}&cursor=0.1`
    expectProblem(await get(target(), both), 400, 'malformed')
  })

  test('a cursor that is cut, mixed up, too long or of another topic is refused', async () => {
    const topic = await topicOf(3)
    const { json } = await get(target(), records(topic))
    const good = json['cursor'] as string
    const id = good.split('_')[0]!
    for (const cursor of [
      id,
      '',
      '0',
      '0.',
      '0.1.2.3',
      'x.1',
      '0.-1',
      '0.1_0.2',
      `0.1_${id}_0.1`,
      `${good}_`,
      '0.1'.padEnd(9_000, '0'),
    ]) {
      expectProblem(await get(target(), `${records(topic)}?cursor=${cursor}`), 400, 'malformed')
    }
    const other = await get(target(), records(await topicOf(1)))
    expectProblem(
      await get(target(), `${records(topic)}?cursor=${String(other.json['cursor'])}`),
      410,
      'topic-recreated',
    )
    await call(target(), 'DELETE', `/v1/topics/${topic}`)
    await call(target(), 'PUT', `/v1/topics/${topic}`)
    expectProblem(await get(target(), `${records(topic)}?cursor=${good}`), 410, 'topic-recreated')
  })

  test('beyond the end and below the start are refused with the numbers, or clamped', async () => {
    const topic = await topicOf(3)
    const path = `/v1/topics/${topic}/partitions/0/records`
    const beyond = await get(target(), `${path}?from=4`)
    expectProblem(beyond, 416, 'beyond-end')
    expect(beyond.json).toMatchObject({ offset: 4, highWatermark: 3 })
    expect(await values(`${path}?from=4&clamp=true`)).toEqual([])
    expect(await values(`${path}?from=3`)).toEqual([])
    await sendJson(target(), 'POST', `/v1/topics/${topic}/trim`, { partition: 0, beforeOffset: 1 })
    expectProblem(await get(target(), `${path}?from=0`), 410, 'below-log-start')
    expectProblem(await get(target(), `${records(topic)}?cursor=0.0`), 410, 'below-log-start')
    expectProblem(await get(target(), `${path}/0`), 410, 'below-log-start')
    expectProblem(await get(target(), `${path}/3`), 416, 'beyond-end')
    expectProblem(await get(target(), `${path}/-1`), 422, 'invalid')
  })

  test('a wait is answered as soon as there is something, and runs out with a usable cursor', async () => {
    const topic = await topicOf(1)
    const empty = await get(target(), `${records(topic)}?from=latest&wait=50ms`)
    expect([empty.status, empty.json['records'], empty.json['caughtUp']]).toEqual([200, [], true])
    const waiting = get(target(), `${records(topic)}?cursor=${String(empty.json['cursor'])}&wait=20s`)
    await post(target(), records(topic), 'woken')
    expect((await waiting).json['records']).toMatchObject([{ offset: 1, value: 'woken' }])
  })

  test('minBytes waits for more than the first record', async () => {
    const topic = await topicOf(1)
    const waiting = get(target(), `${records(topic)}?minBytes=4KiB&wait=20s`)
    await post(target(), records(topic), 'x'.repeat(100))
    await post(target(), records(topic), 'y'.repeat(8_000))
    expect((await waiting).json['records']).toHaveLength(3)
  })

  test('maxBytes bounds an answer, but one record always comes', async () => {
    const topic = freshTopic()
    for (let i = 0; i < 3; i++) await post(target(), records(topic), 'x'.repeat(5_000))
    expect(await values(`${records(topic)}?maxBytes=1KiB`)).toHaveLength(1)
    expect(await values(`${records(topic)}?maxBytes=12KiB`)).toHaveLength(2)
  })

  test('tags choose records on the broker, and an empty answer still goes forward', async () => {
    const topic = freshTopic()
    const tagged = ['a', 'b', undefined, 'a,b', 'c'].map((tags, i) => ({
      value: i,
      ...(tags === undefined ? null : { tags: tags.split(',') }),
    }))
    await sendJson(target(), 'POST', records(topic), tagged)
    expect(await values(`${records(topic)}?tags=a`)).toEqual([0, 3])
    expect(await values(`${records(topic)}?tags=b,c`)).toEqual([1, 3, 4])
    const none = await get(target(), `${records(topic)}?tags=zzz`)
    expect(none.json).toMatchObject({ records: [], caughtUp: true, partitions: [{ nextOffset: 5 }] })
  })

  test('several topics are read as one; records and places say which', async () => {
    const topics = [await topicOf(2), await topicOf(1)]
    const { json } = await get(target(), `/v1/records?topics=${topics.join(',')}`)
    const read = json['records'] as { topic: string }[]
    expect(read.map(({ topic }) => topic).toSorted()).toEqual([topics[0]!, topics[0]!, topics[1]!].toSorted())
    await post(target(), records(topics[1]!), 'more')
    const next = await get(target(), `/v1/records?topics=${topics.join(',')}&cursor=${String(json['cursor'])}`)
    expect(next.json['records']).toMatchObject([{ topic: topics[1]!, offset: 1, value: 'more' }])
    expectProblem(await get(target(), '/v1/records'), 400, 'malformed')
    expectProblem(await get(target(), `/v1/records?topics=${topics[0]!},nope`), 404, 'unknown-topic')
  })

  test('lines are values, or records, with the place in headers', async () => {
    const topic = await topicOf(2)
    const lines = await get(target(), records(topic), NDJSON)
    expect([lines.text, lines.headers.get('content-type')]).toEqual(['0\n1\n', 'application/x-ndjson'])
    expect(lines.headers.get('naru-next-offset')).toBe('2')
    expect(lines.headers.get('naru-caught-up')).toBe('true')
    const cursor = lines.headers.get('naru-cursor')!
    await post(target(), records(topic), 'not "json"')
    const more = await get(target(), `${records(topic)}?format=record&cursor=${cursor}`, NDJSON)
    expect(JSON.parse(more.text)).toMatchObject({ partition: 0, offset: 2, value: 'not "json"' })
    expectProblem(await get(target(), records(topic), { accept: 'text/csv' }), 406, 'not-acceptable')
    expectProblem(await get(target(), `${records(topic)}?format=record`), 400, 'malformed')
  })

  test('stored batches go out and come in again as they are', async () => {
    const [from, to] = [await topicOf(3), freshTopic()]
    await createTopic(target(), to, 1)
    const out = await target().fetch(`/v1/topics/${from}/partitions/0/batches`)
    const bytes = new Uint8Array(await out.arrayBuffer())
    expect([out.headers.get('content-type'), out.headers.get('naru-next-offset')]).toEqual([
      'application/vnd.naru.batch',
      '3',
    ])
    const type = { 'content-type': 'application/vnd.naru.batch' }
    const twice = await post(target(), `/v1/topics/${to}/partitions/0/batches`, Buffer.concat([bytes, bytes]), type)
    expect(twice.json).toMatchObject({ count: 6, partitions: [{ baseOffset: 0, lastOffset: 5 }] })
    expect(await values(records(to))).toEqual([0, 1, 2, 0, 1, 2])
    const again = await target().fetch(`/v1/topics/${to}/partitions/0/batches?from=3`)
    const stored = new Uint8Array(await again.arrayBuffer())
    expect(stored.subarray(24 + 8)).toEqual(bytes.subarray(24 + 8))
  })
})
