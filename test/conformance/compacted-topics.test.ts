// A compacted topic at the door: its settings, and that every record must have a key, however it comes.

import { expect, test } from 'bun:test'
import { createTopic, expectProblem, freshTopic, get, NDJSON_TYPE, post, recordsOf, sendJson } from './client.ts'
import { forEachTarget } from './target.ts'

const BATCH_TYPE = { 'content-type': 'application/vnd.naru.batch' }

forEachTarget((target) => {
  test('records without a key are refused, however they come, and nothing of the request is kept', async () => {
    for (const cleanup of ['compact', 'both']) {
      const topic = freshTopic()
      const records = `/v1/topics/${topic}/records`
      const config = { cleanup, deleteRetentionMs: 5_000 }
      const made = await sendJson(target(), 'PUT', `/v1/topics/${topic}`, { partitions: 1, config })
      expect(made.status).toBe(201)
      expect((await get(target(), `/v1/topics/${topic}`)).json).toMatchObject({
        config: { cleanup: { value: cleanup }, deleteRetentionMs: { value: 5_000 } },
      })

      expectProblem(await post(target(), records, 'raw'), 422, 'key-required')
      const some = { records: [{ key: 'a', value: 1 }, { value: 2 }] }
      const refused = await sendJson(target(), 'POST', records, some)
      expectProblem(refused, 422, 'key-required')
      expect(refused.json).toMatchObject({ topic, record: 1, outcome: 'none' })
      expect(await recordsOf(target(), records)).toEqual([])

      expect((await post(target(), `${records}?key=a`, 'of a key')).status).toBe(200)
      expect((await sendJson(target(), 'POST', records, { key: 'a', tombstone: true })).status).toBe(200)
      const lines = '{"id":"a"}\n{"id":"b"}\n'
      expect((await post(target(), `${records}?keyPointer=/id`, lines, NDJSON_TYPE)).status).toBe(200)
      expectProblem(await post(target(), records, lines, NDJSON_TYPE), 422, 'key-required')
      expect((await recordsOf(target(), records)).map(({ key }) => key)).toEqual(['a', 'a', 'a', 'b'])

      const stored = `/v1/topics/${topic}/partitions/0/batches`
      const keyed = await (await target().fetch(stored)).bytes()
      expect((await post(target(), stored, keyed, BATCH_TYPE)).status).toBe(200)
      const other = freshTopic()
      await createTopic(target(), other, 1)
      await sendJson(target(), 'POST', `/v1/topics/${other}/records`, some)
      const keyless = await (await target().fetch(`/v1/topics/${other}/partitions/0/batches`)).bytes()
      const answer = await post(target(), stored, keyless, BATCH_TYPE)
      expectProblem(answer, 422, 'key-required')
      expect(answer.json).toMatchObject({ record: 1 })
      expect((await recordsOf(target(), records)).length).toBe(8)
    }
  })
})
