// Topics: created, listed in pages, altered, grown, trimmed, deleted.

import { expect, test } from 'bun:test'
import { call, createTopic, expectProblem, freshTopic, get, post, recordsOf, sendJson } from './client.ts'
import { forEachTarget } from './target.ts'

forEachTarget((target) => {
  test('creating is repeatable: 201, then 200 while every field given agrees, else 409 with both sides', async () => {
    const path = `/v1/topics/${freshTopic()}`
    const given = { partitions: 2, config: { retentionMs: 60_000 } }
    expect((await sendJson(target(), 'PUT', path, given)).status).toBe(201)
    expect((await sendJson(target(), 'PUT', path, given)).status).toBe(200)
    expect((await call(target(), 'PUT', path)).status).toBe(200)
    const differing = await sendJson(target(), 'PUT', path, { ...given, partitions: 3 })
    expectProblem(differing, 409, 'topic-exists')
    expect(differing.json['differences']).toEqual([{ pointer: '/partitions', given: 3, existing: 2 }])
  })

  test('a topic tells its partitions and the configuration in force with its source', async () => {
    const topic = freshTopic()
    await sendJson(target(), 'PUT', `/v1/topics/${topic}`, { partitions: 2, config: { retentionMs: 60_000 } })
    const { json, status } = await get(target(), `/v1/topics/${topic}`)
    expect(status).toBe(200)
    expect(json).toMatchObject({ topic, partitions: [{ partition: 0, state: 'active' }, { partition: 1 }] })
    expect(json['config']).toMatchObject({
      retentionMs: { value: 60_000, source: 'topic' },
      flush: { value: 'group', source: 'default' },
    })
  })

  test('every fault of a body is named by its pointer, and nothing is created', async () => {
    const path = `/v1/topics/${freshTopic()}`
    const faults: [unknown, string][] = [
      [{ partitions: '3' }, '/partitions'],
      [{ partitions: 0 }, '/partitions'],
      [{ partitons: 3 }, '/partitons'],
      [{ config: { retentionMs: 'a week' } }, '/config/retentionMs'],
      [{ config: { segmentBytes: 1 } }, '/config/segmentBytes'],
      [{ config: { retention: 1 } }, '/config/retention'],
      [{ config: [] }, '/config'],
    ]
    for (const [body, pointer] of faults) {
      const answer = await sendJson(target(), 'PUT', path, body)
      expectProblem(answer, 422, 'invalid')
      expect((answer.json['errors'] as { pointer: string }[]).map((error) => error.pointer)).toEqual([pointer])
    }
    expectProblem(await get(target(), path), 404, 'unknown-topic')
  })

  test('lists come in pages, by name, within a prefix', async () => {
    const prefix = `page-${freshTopic()}-`
    const names = ['a', 'b', 'c', 'd', 'e'].map((letter) => prefix + letter)
    for (const name of names) await createTopic(target(), name, 1)
    const seen: string[] = []
    let after = ''
    for (let pages = 0; pages < 5; pages++) {
      const page = await get(target(), `/v1/topics?prefix=${prefix}&limit=2${after === '' ? '' : `&after=${after}`}`)
      const topics = page.json['topics'] as { topic: string }[]
      expect(topics.length).toBeLessThanOrEqual(2)
      seen.push(...topics.map(({ topic }) => topic))
      if (page.json['after'] === null) break
      after = page.json['after'] as string
    }
    expect(seen).toEqual(names)
    expectProblem(await get(target(), '/v1/topics?limit=0'), 400, 'malformed')
    expectProblem(await get(target(), '/v1/topics?prefx=a'), 400, 'unknown-parameter')
  })

  test('settings are altered, and null takes one back', async () => {
    const path = `/v1/topics/${freshTopic()}`
    await sendJson(target(), 'PUT', path, { config: { retentionMs: 60_000 } })
    const altered = await sendJson(target(), 'PATCH', path, { config: { retentionMs: null, segmentMs: 5_000 } })
    expect(altered.status).toBe(200)
    expect(altered.json['config']).toMatchObject({ retentionMs: { source: 'default' }, segmentMs: { value: 5_000 } })
    expectProblem(await sendJson(target(), 'PATCH', path, { config: { nope: 1 } }), 422, 'invalid')
    expectProblem(await call(target(), 'PATCH', path), 400, 'malformed')
  })

  test('growing keeps what is stored and refuses to shrink', async () => {
    const topic = freshTopic()
    await createTopic(target(), topic, 1)
    await post(target(), `/v1/topics/${topic}/records`, 'kept')
    const grown = await sendJson(target(), 'POST', `/v1/topics/${topic}/partitions`, { count: 4 })
    expect(grown.json['partitions']).toHaveLength(4)
    expect((await recordsOf(target(), `/v1/topics/${topic}/records`)).map(({ value }) => value)).toEqual(['kept'])
    expectProblem(await sendJson(target(), 'POST', `/v1/topics/${topic}/partitions`, { count: 2 }), 422, 'invalid')
  })

  test('a trim advances the log start, and what is below is gone', async () => {
    const topic = freshTopic()
    for (const value of ['a', 'b', 'c']) await post(target(), `/v1/topics/${topic}/records`, value)
    const trimmed = await sendJson(target(), 'POST', `/v1/topics/${topic}/trim`, { partition: 0, beforeOffset: 2 })
    expect(trimmed.json).toEqual({ topic, partition: 0, logStartOffset: 2 })
    const below = await get(target(), `/v1/topics/${topic}/partitions/0/records?from=0`)
    expectProblem(below, 410, 'below-log-start')
    expect(below.json['logStartOffset']).toBe(2)
    const clamped = await recordsOf(target(), `/v1/topics/${topic}/partitions/0/records?from=0&clamp=true`)
    expect(clamped.map(({ offset }) => offset)).toEqual([2])
    expectProblem(
      await sendJson(target(), 'POST', `/v1/topics/${topic}/trim`, { partition: 0, beforeOffset: 9 }),
      416,
      'beyond-end',
    )
  })

  test('a deleted topic is gone, is not created again by a late produce, but is by a person', async () => {
    const topic = freshTopic()
    await post(target(), `/v1/topics/${topic}/records`, 'x')
    expect((await call(target(), 'DELETE', `/v1/topics/${topic}`)).status).toBe(200)
    expectProblem(await call(target(), 'DELETE', `/v1/topics/${topic}`), 404, 'unknown-topic')
    const late = await post(target(), `/v1/topics/${topic}/records`, 'y')
    expectProblem(late, 404, 'unknown-topic')
    expect(late.json['recentlyDeleted']).toBe(true)
    expect((await call(target(), 'PUT', `/v1/topics/${topic}`)).status).toBe(201)
    expect(await recordsOf(target(), `/v1/topics/${topic}/records`)).toEqual([])
  })

  test('a partition tells its offsets, by GET and as headers', async () => {
    const topic = freshTopic()
    await post(target(), `/v1/topics/${topic}/records`, 'x')
    const path = `/v1/topics/${topic}/partitions/0`
    expect((await get(target(), path)).json).toMatchObject({
      topic,
      partition: 0,
      logStartOffset: 0,
      highWatermark: 1,
      logEndOffset: 1,
      damaged: false,
    })
    const head = await call(target(), 'HEAD', path)
    expect([head.status, head.text, head.headers.get('etag')]).toEqual([200, '', '"1"'])
    expect(head.headers.get('naru-high-watermark')).toBe('1')
    expectProblem(await get(target(), `/v1/topics/${topic}/partitions/1`), 404, 'unknown-partition')
    expectProblem(await get(target(), `/v1/topics/${topic}/partitions/one`), 422, 'invalid')
  })
})
