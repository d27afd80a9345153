// Idempotency-Key: repeats are answered with the first result, broken attempts completed, other bodies refused.

import { expect, test } from 'bun:test'
import {
  createTopic,
  expectProblem,
  freshTopic,
  JSON_TYPE,
  NDJSON_TYPE,
  pieces,
  post,
  recordsOf,
  sendJson,
} from './client.ts'
import { forEachTarget } from './target.ts'

forEachTarget((target) => {
  const records = (topic: string): string => `/v1/topics/${topic}/records`

  test('a repeat is answered with the first result and says so; another body is refused with it', async () => {
    const topic = freshTopic()
    const key = { 'idempotency-key': 'report-1' }
    const first = await post(target(), records(topic), 'a', key)
    expect(first.headers.get('idempotency-replayed')).toBeNull()
    const repeat = await post(target(), records(topic), 'a', key)
    expect(repeat.headers.get('idempotency-replayed')).toBe('true')
    expect(repeat.json['partitions']).toEqual(first.json['partitions'])
    const other = await post(target(), records(topic), 'b', key)
    expectProblem(other, 422, 'key-conflict')
    expect(other.json['first']).toEqual({ partitions: first.json['partitions'] })
    expectProblem(await post(target(), `${records(topic)}?key=k`, 'a', key), 422, 'key-conflict')
    expect(await recordsOf(target(), records(topic))).toHaveLength(1)
  })

  test('repeats that come while the first runs wait for it', async () => {
    const topic = freshTopic()
    const send = (): ReturnType<typeof post> =>
      post(target(), records(topic), '[{"value":1},{"value":2}]', { ...JSON_TYPE, 'idempotency-key': 'k' })
    const answers = await Promise.all([send(), send(), send(), send()])
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200])
    expect(answers.filter(({ headers }) => headers.get('idempotency-replayed') === 'true')).toHaveLength(3)
    expect(new Set(answers.map(({ json }) => JSON.stringify(json['partitions']))).size).toBe(1)
    expect(await recordsOf(target(), records(topic))).toHaveLength(2)
  })

  test('an upload that broke off is completed by the repeat, record by record, in every partition', async () => {
    const topic = freshTopic()
    await createTopic(target(), topic, 3)
    const lines = Array.from({ length: 300 }, (_, i) => `{"id":${i % 50},"seq":${i}}\n`)
    const path = `${records(topic)}?keyPointer=/id`
    const headers = { ...NDJSON_TYPE, 'idempotency-key': 'upload' }
    const broken = await post(target(), path, pieces([lines.slice(0, 120).join(''), '{"id": oops\n']), headers)
    expectProblem(broken, 400, 'malformed', 'partial')
    expect(broken.json).toMatchObject({ accepted: 120, firstUnacceptedLine: 121 })
    const whole = await post(target(), path, pieces([lines.join('')]), headers)
    expect([whole.status, whole.json['count']]).toEqual([200, 300])
    expect(whole.headers.get('idempotency-replayed')).toBeNull()
    const again = await post(target(), path, lines.join(''), headers)
    expect([again.json['count'], again.headers.get('idempotency-replayed')]).toEqual([300, 'true'])
    const read = await recordsOf(target(), records(topic))
    const seqs = read.map(({ value }) => (value as { seq: number }).seq)
    expect(seqs.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 300 }, (_, i) => i))
  })

  test('growth between attempts does not send a repeat elsewhere', async () => {
    const topic = freshTopic()
    await createTopic(target(), topic, 2)
    const body = JSON.stringify(Array.from({ length: 40 }, (_, i) => ({ key: `k${i}`, value: i })))
    const headers = { ...JSON_TYPE, 'idempotency-key': 'grow' }
    const first = await post(target(), records(topic), body, headers)
    await sendJson(target(), 'POST', `/v1/topics/${topic}/partitions`, { count: 7 })
    const repeat = await post(target(), records(topic), body, headers)
    expect([repeat.status, repeat.json['partitions']]).toEqual([200, first.json['partitions']])
    expect(await recordsOf(target(), records(topic))).toHaveLength(40)
  })

  test('where there is no result to repeat, a key is refused', async () => {
    const topic = freshTopic()
    const key = { 'idempotency-key': 'k' }
    expectProblem(await post(target(), `${records(topic)}?acks=0`, 'x', key), 400, 'malformed')
    expectProblem(await post(target(), records(topic), 'x', { 'idempotency-key': 'k'.repeat(256) }), 400, 'malformed')
    const batches = `/v1/topics/${topic}/partitions/0/batches`
    expectProblem(
      await post(target(), batches, 'x', { ...key, 'content-type': 'application/vnd.naru.batch' }),
      400,
      'malformed',
    )
  })
})
