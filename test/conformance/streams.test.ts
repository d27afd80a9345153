// GET …/records/stream: which requests become streams, where they begin, and what is refused with which status.

import { expect, test } from 'bun:test'
import { freshTopic, get, post } from './client.ts'
import { forEachTarget, type Target } from './target.ts'

interface Told {
  type: string
  cursor?: string
  records?: { value: unknown }[]
  [member: string]: unknown
}

/** The events of a stream until there are so many; then it is left. */
async function eventsOf(response: Response, count: number): Promise<Told[]> {
  expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/event-stream'])
  const reader = response.body!.getReader()
  const decoder = new TextDecoder()
  const events: Told[] = []
  let text = ''
  while (events.length < count) {
    const { done, value } = await reader.read()
    if (done) break
    text += decoder.decode(value, { stream: true })
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const data = /^data: (.*)$/m.exec(text.slice(0, end))
      if (data !== null) events.push(JSON.parse(data[1]!) as Told)
      text = text.slice(end + 2)
    }
  }
  await reader.cancel()
  return events
}

const valuesOf = (events: readonly Told[]): unknown[] =>
  events.flatMap(({ records }) => records ?? []).map(({ value }) => value)

async function stream(target: Target, path: string, headers: Record<string, string> = {}): Promise<Response> {
  return target.fetch(path, { headers })
}

forEachTarget((target) => {
  async function topicWith(values: readonly unknown[]): Promise<string> {
    const topic = freshTopic()
    const body = JSON.stringify(values.map((value) => ({ value })))
    const produced = await post(target(), `/v1/topics/${topic}/records`, body, { 'content-type': 'application/json' })
    expect(produced.status).toBe(200)
    return topic
  }

  test('each address of records is a stream to who accepts events', async () => {
    const topic = await topicWith([1, 2])
    const accept = { accept: 'text/event-stream' }
    for (const path of [`/v1/topics/${topic}/records/stream`, `/v1/records/stream?topics=${topic}`]) {
      expect(valuesOf(await eventsOf(await stream(target(), path), 2))).toEqual([1, 2])
    }
    for (const path of [
      `/v1/topics/${topic}/records`,
      `/v1/topics/${topic}/partitions/0/records`,
      `/v1/records?topics=${topic}`,
    ]) {
      const events = await eventsOf(await stream(target(), path, accept), 2)
      expect(events.map(({ type }) => type)).toEqual(['position', 'records'])
    }
  })

  test('Last-Event-ID beats cursor, and cursor beats from', async () => {
    const topic = await topicWith([0, 1, 2, 3])
    const path = `/v1/topics/${topic}/records/stream`
    const begin = async (query: string, headers: Record<string, string> = {}): Promise<unknown> =>
      valuesOf(await eventsOf(await stream(target(), path + query, headers), 2))
    expect(await begin('?from=-1')).toEqual([3])
    expect(await begin('?from=-1&cursor=0.2')).toEqual([2, 3])
    expect(await begin('?from=-1&cursor=0.2', { 'last-event-id': '0.1' })).toEqual([1, 2, 3])
    expect(await begin('?from=-1&cursor=0.2', { 'last-event-id': '' })).toEqual([2, 3])
  })

  test('a place that is gone is no refusal but a reset', async () => {
    const topic = await topicWith([0, 1, 2])
    const [, reset] = await eventsOf(await stream(target(), `/v1/topics/${topic}/records/stream?cursor=0.7`), 2)
    expect(reset).toMatchObject({ type: 'reset', topic, partition: 0, from: 7, to: 3, reason: 'beyond-end' })
  })

  test('what is wrong is refused with a status that ends an EventSource', async () => {
    const topic = await topicWith([0])
    const path = `/v1/topics/${topic}/records/stream`
    const wrong: [query: string, status: number, code: string][] = [
      [`${path}?cursor=nonsense`, 400, 'malformed'],
      [`${path}?from=now`, 400, 'malformed'],
      [`${path}?form=latest`, 400, 'unknown-parameter'],
      [`${path}?limit=1`, 400, 'unknown-parameter'],
      [`${path}?from=3`, 422, 'invalid'],
      [`${path}?ticket=abc`, 422, 'unsupported'],
      [`${path}?tags=`, 400, 'malformed'],
      ['/v1/topics/nowhere/records/stream', 404, 'unknown-topic'],
      ['/v1/records/stream?topics=nowhere', 404, 'unknown-topic'],
      ['/v1/records/stream', 400, 'malformed'],
      [`/v1/records/stream?topics=${topic},${topic}`, 400, 'malformed'],
    ]
    for (const [query, status, code] of wrong) {
      const answer = await get(target(), query)
      expect([query, answer.status, answer.json['code']]).toEqual([query, status, code])
    }
    const bad = await get(target(), path, { 'last-event-id': '0.x' })
    expect([bad.status, bad.json['parameter']]).toEqual([400, 'Last-Event-ID'])
    const posted = await post(target(), path, 'x')
    expect([posted.status, posted.headers.get('allow')]).toEqual([405, 'GET, OPTIONS'])
  })

  test('only what has a wanted tag', async () => {
    const topic = freshTopic()
    const records = [{ value: 1, tags: ['a'] }, { value: 2 }, { value: 3, tags: ['b', 'c'] }]
    const body = JSON.stringify({ records })
    await post(target(), `/v1/topics/${topic}/records`, body, { 'content-type': 'application/json' })
    const response = await stream(target(), `/v1/topics/${topic}/records/stream?tags=b,a`)
    expect(valuesOf(await eventsOf(response, 2))).toEqual([1, 3])
  })

  test('a socket is asked for by an upgrade, with nothing in its address', async () => {
    expect((await get(target(), '/v1/ws?ticket=abc')).json['code']).toBe('unsupported')
    expect((await get(target(), '/v1/ws?x=1')).json['code']).toBe('unknown-parameter')
    expect((await post(target(), '/v1/ws', 'x')).status).toBe(405)
    if (target().port > 0) expect((await get(target(), '/v1/ws')).json['code']).toBe('malformed')
  })
})
