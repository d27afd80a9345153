// Uploads of any length, answered while they run; answers that do not end.

import { expect, test } from 'bun:test'
import { call, expectProblem, freshTopic, get, NDJSON, NDJSON_TYPE, pieces, post, recordsOf } from './client.ts'
import { forEachTarget, type Target, UPLOAD_IDLE_MS } from './target.ts'

interface Lines {
  next(): Promise<Record<string, unknown> | null>
  cancel(): Promise<void>
}

/** The JSON lines of an answer as they come; blank ones are passed over. */
function linesOf(response: Response): Lines {
  const reader = response.body!.pipeThrough(new TextDecoderStream() as never).getReader() as {
    read(): Promise<{ done: boolean; value?: string }>
    cancel(): Promise<void>
  }
  let held = ''
  return {
    async next() {
      for (;;) {
        const end = held.indexOf('\n')
        const line = end < 0 ? '' : held.slice(0, end)
        if (end >= 0) held = held.slice(end + 1)
        if (line !== '') return JSON.parse(line) as Record<string, unknown>
        if (end >= 0) continue
        const { done, value } = await reader.read()
        if (done) return null
        held += value
      }
    },
    cancel: () => reader.cancel(),
  }
}

async function open(target: Target, path: string, headers: Record<string, string> = NDJSON): Promise<Lines> {
  const response = await target.fetch(path, { headers })
  expect(response.status).toBe(200)
  return linesOf(response)
}

forEachTarget((target) => {
  const records = (topic: string): string => `/v1/topics/${topic}/records`

  test('a log is piped in a record a line, and each batch is told while the upload runs', async () => {
    const topic = freshTopic()
    let told: () => void = () => {}
    const firstTold = new Promise<void>((resolve) => {
      told = resolve
    })
    async function* upload(): AsyncGenerator<string> {
      yield 'one\ntwo\nthr'
      await firstTold
      yield 'ee\n\nfour'
    }
    const response = await target().fetch(`${records(topic)}?split=lines`, {
      method: 'POST',
      headers: NDJSON,
      body: pieces(upload()),
      duplex: 'half',
    } as RequestInit)
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'application/x-ndjson'])
    const lines = linesOf(response)
    expect(await lines.next()).toMatchObject({ partition: 0, baseOffset: 0, count: 2, firstRecord: 0 })
    told()
    expect(await lines.next()).toMatchObject({ partition: 0, baseOffset: 2, count: 2, firstRecord: 2 })
    expect(await lines.next()).toMatchObject({ done: true, topic, count: 4, as: 'raw', created: true })
    expect(await lines.next()).toBeNull()
    expect((await recordsOf(target(), records(topic))).map(({ value }) => value)).toEqual([
      'one',
      'two',
      'three',
      'four',
    ])
  })

  test('what came before the first bad line is kept, and the answer says how much', async () => {
    const topic = freshTopic()
    const answer = await post(target(), records(topic), pieces(['1\n\n2\n', '3\nnope\n4\n']), NDJSON_TYPE)
    expectProblem(answer, 400, 'malformed', 'partial')
    expect(answer.json).toMatchObject({
      topic,
      accepted: 3,
      firstUnacceptedLine: 5,
      partitions: [{ partition: 0, baseOffset: 0, lastOffset: 2, count: 3 }],
    })
    const next = `${records(topic)}?cursor=${String(answer.json['cursor'])}`
    await post(target(), records(topic), 'after')
    expect((await recordsOf(target(), next)).map(({ value }) => value)).toEqual(['after'])
  })

  test('an upload that is wrong from its first line creates no topic', async () => {
    const topic = freshTopic()
    expectProblem(await post(target(), records(topic), pieces(['{oops\n', '1\n']), NDJSON_TYPE), 400, 'malformed')
    expectProblem(await get(target(), `/v1/topics/${topic}`), 404, 'unknown-topic')
  })

  test('with lines as answer, a failure is the last line', async () => {
    const topic = freshTopic()
    const response = await target().fetch(records(topic), {
      method: 'POST',
      headers: { ...NDJSON, ...NDJSON_TYPE },
      body: pieces(['1\n2\n{\n']),
      duplex: 'half',
    } as RequestInit)
    const lines = linesOf(response)
    expect(await lines.next()).toMatchObject({ count: 2, firstRecord: 0 })
    expect(await lines.next()).toMatchObject({
      problem: { code: 'malformed', status: 400, outcome: 'partial', accepted: 2, firstUnacceptedLine: 3 },
    })
    expect(await lines.next()).toBeNull()
  })

  test('an upload that falls silent for too long ends with what it brought', async () => {
    const topic = freshTopic()
    async function* silent(): AsyncGenerator<string> {
      yield 'a\nb\nhalf a li'
      await Bun.sleep(UPLOAD_IDLE_MS + 2_000)
      yield 'ne\n'
    }
    const answer = await post(target(), `${records(topic)}?split=lines`, pieces(silent()))
    expectProblem(answer, 408, 'upload-stalled', 'partial')
    expect(answer.json).toMatchObject({ accepted: 2, firstUnacceptedLine: 3 })
    expect(await recordsOf(target(), records(topic))).toHaveLength(2)
  })

  test('a large upload goes into many batches, in order, all of it', async () => {
    const topic = freshTopic()
    const count = 60_000
    function* upload(): Generator<string> {
      for (let i = 0; i < count; i += 1_000) {
        yield Array.from({ length: 1_000 }, (_, j) => `{"seq":${i + j},"pad":"${'x'.repeat(40)}"}\n`).join('')
      }
    }
    const answer = await post(target(), records(topic), pieces(upload()), NDJSON_TYPE)
    expect([answer.status, answer.json['count']]).toEqual([200, count])
    const tail = await recordsOf(target(), `${records(topic)}?from=-2`)
    expect(tail.map(({ offset, value }) => [offset, (value as { seq: number }).seq])).toEqual([
      [count - 2, count - 2],
      [count - 1, count - 1],
    ])
  })

  test('follow=true tells records as they come and ends with its limit', async () => {
    const topic = freshTopic()
    await post(target(), records(topic), '{"n":1}\n{"n":2}\n', NDJSON_TYPE)
    const lines = await open(target(), `${records(topic)}?from=-1&follow=true&limit=3`)
    expect(await lines.next()).toEqual({ n: 2 })
    await post(target(), records(topic), '{"n":3}\n', NDJSON_TYPE)
    expect(await lines.next()).toEqual({ n: 3 })
    await post(target(), records(topic), '{"n":4}\n{"n":5}\n', NDJSON_TYPE)
    expect(await lines.next()).toEqual({ n: 4 })
    expect(await lines.next()).toBeNull()
  })

  test('follow=true ends at until, and answers in lines only', async () => {
    const topic = freshTopic()
    await post(target(), records(topic), '1\n2\n', NDJSON_TYPE)
    const lines = await get(target(), `${records(topic)}?follow=true&until=latest`, NDJSON)
    expect(lines.text.split('\n').filter((line) => line !== '')).toEqual(['1', '2'])
    expectProblem(await get(target(), `${records(topic)}?follow=true`), 406, 'not-acceptable')
    expectProblem(await get(target(), `${records(topic)}?follow=true&wait=1s`, NDJSON), 400, 'malformed')
  })

  test('a followed answer picks up partitions that are added', async () => {
    const topic = freshTopic()
    await post(target(), records(topic), '1\n', NDJSON_TYPE)
    const lines = await open(target(), `${records(topic)}?follow=true&format=record`)
    expect(await lines.next()).toMatchObject({ partition: 0, value: 1 })
    await call(target(), 'POST', `/v1/topics/${topic}/partitions`, {
      body: '{"count":2}',
      headers: { 'content-type': 'application/json' },
    })
    await post(target(), `/v1/topics/${topic}/partitions/1/records`, '2\n', NDJSON_TYPE)
    expect(await lines.next()).toMatchObject({ partition: 1, offset: 0, value: 2 })
    await lines.cancel()
  })
})
