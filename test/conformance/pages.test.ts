// Browsers: what pages of other origins may do, what they may read, and what every answer carries.

import { expect, test } from 'bun:test'
import { call, expectProblem, freshTopic, get, post, recordsOf } from './client.ts'
import { ALLOWED_ORIGIN, forEachTarget } from './target.ts'

const FOREIGN = 'https://evil.example'

forEachTarget((target) => {
  const records = (topic: string): string => `/v1/topics/${topic}/records`

  test('a page of a foreign origin changes nothing and reads nothing', async () => {
    const topic = freshTopic()
    await post(target(), records(topic), 'mine')
    const changes: [method: string, path: string][] = [
      ['POST', records(topic)],
      ['DELETE', `/v1/topics/${topic}`],
      ['PUT', `/v1/topics/${freshTopic()}`],
      ['POST', '/v1/producers'],
      ['OPTIONS', records(topic)],
    ]
    for (const [method, path] of changes) {
      for (const origin of [FOREIGN, 'null', `${ALLOWED_ORIGIN}.evil.example`]) {
        const answer = await call(target(), method, path, { headers: { origin } })
        expectProblem(answer, 403, 'forbidden-origin')
      }
    }
    expect(await recordsOf(target(), records(topic))).toHaveLength(1)
    const read = await get(target(), records(topic), { origin: FOREIGN })
    expect([read.status, read.headers.get('access-control-allow-origin')]).toEqual([200, null])
  })

  test('a page of an allowed origin writes and reads, also its refusals', async () => {
    const topic = freshTopic()
    const headers = { origin: ALLOWED_ORIGIN }
    const answers = [
      await post(target(), records(topic), 'x', headers),
      await get(target(), records(topic), headers),
      await get(target(), `${records(topic)}?form=latest`, headers),
      await get(target(), '/nowhere', headers),
      await get(target(), '/healthz', headers),
    ]
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 400, 404, 200])
    for (const answer of answers) {
      expect(answer.headers.get('access-control-allow-origin')).toBe(ALLOWED_ORIGIN)
      expect(answer.headers.get('access-control-expose-headers')).toContain('Naru-Cursor')
      expect(answer.headers.get('vary')).toContain('Origin')
    }
  })

  test('a preflight names the methods and headers there are', async () => {
    const preflight = await call(target(), 'OPTIONS', records(freshTopic()), {
      headers: {
        origin: ALLOWED_ORIGIN,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'idempotency-key, naru-header-trace',
      },
    })
    expect(preflight.status).toBe(204)
    expect(preflight.headers.get('access-control-allow-methods')).toContain('PATCH')
    const allowed = preflight.headers.get('access-control-allow-headers')!.toLowerCase()
    for (const name of ['authorization', 'last-event-id', 'idempotency-key', 'producer-id', 'naru-header-trace']) {
      expect(allowed).toContain(name)
    }
  })

  test('nothing is sniffed and nothing is cached', async () => {
    const topic = freshTopic()
    const answers = [
      await post(target(), records(topic), '<script>'),
      await get(target(), records(topic)),
      await get(target(), `/v1/topics/${topic}/partitions/0/records/0`),
      await get(target(), '/nowhere'),
      await get(target(), '/metrics'),
    ]
    for (const { headers } of answers) {
      expect(headers.get('x-content-type-options')).toBe('nosniff')
      expect(headers.get('cache-control')).toBe('no-store')
    }
  })
})
