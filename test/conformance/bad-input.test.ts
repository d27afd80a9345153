// What is wrong is refused with a status, a code and where it is, and changes nothing.

import { expect, test } from 'bun:test'
import {
  call,
  createTopic,
  expectProblem,
  freshTopic,
  get,
  JSON_TYPE,
  NDJSON_TYPE,
  pieces,
  post,
  recordsOf,
} from './client.ts'
import { forEachTarget } from './target.ts'

const MIB = 1024 * 1024

interface BadBody {
  readonly what: string
  readonly body: string | Uint8Array
  readonly type?: Record<string, string>
  readonly status: number
  readonly code: string
  readonly pointer?: string
}

const deep = `${'['.repeat(300)}${']'.repeat(300)}`

const badBodies: readonly BadBody[] = [
  { what: 'JSON cut off', body: '{"value":', status: 400, code: 'malformed' },
  { what: 'JSON with a trailing comma', body: '[{"value":1},]', status: 400, code: 'malformed' },
  { what: 'JSON with a leading zero', body: '{"value":01}', status: 400, code: 'malformed' },
  { what: 'no body', body: '', status: 400, code: 'malformed' },
  { what: 'not UTF-8', body: Uint8Array.of(0x7b, 0xff, 0x7d), status: 400, code: 'malformed' },
  { what: 'nested too deep', body: `{"value":${deep}}`, status: 400, code: 'malformed' },
  { what: 'a number for a body', body: '5', status: 422, code: 'invalid' },
  { what: 'no value', body: '{"key":"k"}', status: 422, code: 'invalid', pointer: '/value' },
  { what: 'an unknown field', body: '{"value":1,"vlaue":2}', status: 422, code: 'invalid', pointer: '/vlaue' },
  {
    what: 'a key that is no string',
    body: '[{"value":1},{"value":2,"key":7}]',
    status: 422,
    code: 'invalid',
    pointer: '/1/key',
  },
  {
    what: 'two values',
    body: '{"records":[{"value":1,"valueBase64":"AA=="}]}',
    status: 422,
    code: 'invalid',
    pointer: '/records/0/valueBase64',
  },
  { what: 'base64 that is none', body: '{"valueBase64":"*"}', status: 422, code: 'invalid', pointer: '/valueBase64' },
  {
    what: 'a header that is no string',
    body: '{"value":1,"headers":{"a":1}}',
    status: 422,
    code: 'invalid',
    pointer: '/headers/a',
  },
  { what: 'an empty tag', body: '{"value":1,"tags":[""]}', status: 422, code: 'invalid', pointer: '/tags/0' },
  {
    what: 'a timestamp in seconds',
    body: '{"value":1,"timestamp":1700000000}',
    status: 422,
    code: 'invalid',
    pointer: '/timestamp',
  },
  { what: 'a later field', body: '{"value":1,"delayMs":5}', status: 422, code: 'unsupported', pointer: '/delayMs' },
  { what: 'records that are no array', body: '{"records":{}}', status: 422, code: 'invalid', pointer: '/records' },
  { what: 'a record over its limit', body: `{"value":"${'x'.repeat(MIB)}"}`, status: 413, code: 'record-too-large' },
  {
    what: 'a key over its limit',
    body: `{"value":1,"key":"${'k'.repeat(40_000)}"}`,
    status: 413,
    code: 'record-too-large',
  },
  {
    what: 'CloudEvents',
    body: '{}',
    type: { 'content-type': 'application/cloudevents+json' },
    status: 422,
    code: 'unsupported',
  },
  {
    what: 'batches as records',
    body: 'x',
    type: { 'content-type': 'application/vnd.naru.batch' },
    status: 415,
    code: 'unsupported-media-type',
  },
  {
    what: 'another charset',
    body: '{"value":1}',
    type: { 'content-type': 'application/json; charset=latin1' },
    status: 415,
    code: 'unsupported-media-type',
  },
  {
    what: 'a compressed body',
    body: 'x',
    type: { 'content-encoding': 'gzip' },
    status: 415,
    code: 'unsupported-media-type',
  },
  { what: 'a line that is two values', body: '1\n2 3\n', type: NDJSON_TYPE, status: 400, code: 'malformed' },
]

const badQueries: readonly [query: string, status: number, code: string][] = [
  ['limit=0', 400, 'malformed'],
  ['limit=1e3', 400, 'malformed'],
  ['limit=100001', 400, 'malformed'],
  ['wait=5', 400, 'malformed'],
  ['wait=5x', 400, 'malformed'],
  ['wait=61s', 400, 'malformed'],
  ['maxBytes=1024', 400, 'malformed'],
  ['maxBytes=1KB', 400, 'malformed'],
  ['maxBytes=9MiB', 400, 'malformed'],
  ['from=middle', 400, 'malformed'],
  ['from=-', 400, 'malformed'],
  ['from=earliest&cursor=0.1', 400, 'malformed'],
  ['from=earliest&from=latest', 400, 'malformed'],
  ['until=never', 400, 'malformed'],
  ['clamp=yes', 400, 'malformed'],
  ['tags=a,,b', 400, 'malformed'],
  ['cursor=%zz', 400, 'malformed'],
  ['form=latest', 400, 'unknown-parameter'],
  ['From=latest', 400, 'unknown-parameter'],
  ['isolation=read_committed', 422, 'unsupported'],
]

const badProduceQueries: readonly [query: string, status: number, code: string][] = [
  ['acks=2', 400, 'malformed'],
  ['timeout=5', 400, 'malformed'],
  ['keyPointer=/a', 400, 'malformed'],
  ['split=words', 400, 'malformed'],
  ['tombstone=true', 422, 'invalid'],
  ['timestamp=yesterday', 400, 'malformed'],
  ['ky=a', 400, 'unknown-parameter'],
  ['delay=10m', 422, 'unsupported'],
  ['deliverAt=@0', 422, 'unsupported'],
]

/** Names of dots alone never arrive as such: see sockets.test.ts. */
const badNames = ['...%2f', 'a%2fb', 'a%00b', 'a%20b', 'a%0ab', '%C3%A4', 'n'.repeat(300), 'a:b', 'a+b', '%ff']

forEachTarget((target) => {
  for (const { what, body, type = JSON_TYPE, status, code, pointer } of badBodies) {
    test(`body: ${what}`, async () => {
      const topic = freshTopic()
      const answer = await post(target(), `/v1/topics/${topic}/records`, body, type)
      expectProblem(answer, status, code)
      if (pointer !== undefined) expect(answer.json['errors']).toMatchObject([{ pointer }])
      expectProblem(await get(target(), `/v1/topics/${topic}`), 404, 'unknown-topic')
    })
  }

  test('queries of a fetch', async () => {
    const topic = freshTopic()
    await createTopic(target(), topic, 1)
    for (const [query, status, code] of badQueries) {
      const answer = await get(target(), `/v1/topics/${topic}/records?${query}`)
      expect([query, answer.status, answer.json['code']]).toEqual([query, status, code])
      expectProblem(answer, status, code)
    }
    expect((await get(target(), `/v1/topics/${topic}/records?form=latest`)).json['nearest']).toBe('from')
  })

  test('queries of a produce', async () => {
    const topic = freshTopic()
    await createTopic(target(), topic, 1)
    for (const [query, status, code] of badProduceQueries) {
      const answer = await post(target(), `/v1/topics/${topic}/records?${query}`, 'x')
      expect([query, answer.status, answer.json['code']]).toEqual([query, status, code])
    }
    expect(await recordsOf(target(), `/v1/topics/${topic}/records`)).toEqual([])
  })

  test('names: refused wherever they stand, never a path, never created', async () => {
    for (const name of badNames) {
      for (const answer of [
        await post(target(), `/v1/topics/${name}/records`, 'x'),
        await get(target(), `/v1/topics/${name}/records`),
        await call(target(), 'PUT', `/v1/topics/${name}`),
      ]) {
        expect([name, [400, 422].includes(answer.status)]).toEqual([name, true])
        expect([name, answer.json['code']]).toEqual([name, expect.stringMatching(/^(malformed|invalid)$/)])
      }
    }
    const internal = [
      await post(target(), '/v1/topics/__internal/records', 'x'),
      await call(target(), 'PUT', '/v1/topics/__internal'),
    ]
    for (const answer of internal) expectProblem(answer, 403, 'internal-topic')
    const listed = await get(target(), '/v1/topics?prefix=__')
    expect(listed.json['topics']).toEqual([])
  })

  test('a body over the limit, by Content-Length and by chunks', async () => {
    const topic = freshTopic()
    const big = new Uint8Array(17 * MIB)
    expectProblem(await post(target(), `/v1/topics/${topic}/records`, big), 413, 'body-too-large')
    const chunks = Array.from({ length: 17 }, () => new Uint8Array(MIB))
    expectProblem(await post(target(), `/v1/topics/${topic}/records`, pieces(chunks)), 413, 'body-too-large')
    expectProblem(
      await call(target(), 'PUT', `/v1/topics/${topic}`, { body: new Uint8Array(2 * MIB), headers: JSON_TYPE }),
      413,
      'body-too-large',
    )
    expectProblem(await get(target(), `/v1/topics/${topic}`), 404, 'unknown-topic')
  })

  test('addresses and methods that do not exist', async () => {
    for (const path of [
      '/nothing',
      '/v1',
      '/v2/topics',
      '/v1/topics/a/record',
      '/v1/topics/a/records/',
      '/etc/passwd',
      '/v1/topics/',
    ]) {
      expectProblem(await get(target(), path), 404, 'not-found')
    }
    const wrong: [method: string, path: string, allow: string][] = [
      ['POST', '/v1/topics', 'GET, OPTIONS'],
      ['DELETE', '/v1/topics/a/records', 'GET, POST, OPTIONS'],
      ['HEAD', '/v1/topics/a/records', 'GET, POST, OPTIONS'],
      ['HEAD', '/v1/topics', 'GET, OPTIONS'],
      ['PUT', '/healthz', 'GET, OPTIONS'],
      ['PATCH', '/v1/topics/a/partitions/0/batches', 'GET, POST, OPTIONS'],
    ]
    for (const [method, path, allow] of wrong) {
      const answer = await call(target(), method, path)
      expect([method, path, answer.status, answer.headers.get('allow')]).toEqual([method, path, 405, allow])
    }
    const options = await call(target(), 'OPTIONS', '/v1/topics')
    expect([options.status, options.headers.get('allow')]).toEqual([204, 'GET, OPTIONS'])
  })

  test('what is to come is refused as such', async () => {
    const later: [method: string, path: string][] = [
      ['POST', '/v1/records'],
      ['POST', '/v1/transactions'],
      ['PUT', '/v1/topics/a/queues/q'],
    ]
    for (const [method, path] of later) {
      const answer = await call(target(), method, path)
      expect([method, path, answer.status, answer.json['code']]).toEqual([method, path, 422, 'unsupported'])
    }
  })

  test('a JSON route takes JSON, and a route without a body none', async () => {
    const topic = freshTopic()
    const form = { 'content-type': 'application/x-www-form-urlencoded' }
    expectProblem(
      await call(target(), 'PUT', `/v1/topics/${topic}`, { body: '{}', headers: form }),
      415,
      'unsupported-media-type',
    )
    expectProblem(
      await call(target(), 'PUT', `/v1/topics/${topic}`, { body: '{', headers: JSON_TYPE }),
      400,
      'malformed',
    )
    expectProblem(
      await call(target(), 'DELETE', `/v1/topics/${topic}`, { body: '{}', headers: JSON_TYPE }),
      400,
      'malformed',
    )
  })
})
