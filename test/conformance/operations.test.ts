// What operators and probes ask, and the document.

import { expect, test } from 'bun:test'
import { limits } from '../../src/core/base/index.ts'
import { call, get } from './client.ts'
import { forEachTarget } from './target.ts'

interface Document {
  openapi: string
  paths: Record<string, Record<string, { operationId: string }>>
}

forEachTarget((target) => {
  test('probes, limits, cluster and numbers', async () => {
    expect((await get(target(), '/healthz')).json).toEqual({ status: 'ok' })
    expect((await get(target(), '/readyz')).json).toEqual({ status: 'ready' })
    expect((await get(target(), '/v1/limits')).json).toMatchObject({
      batchBytesMax: limits.BATCH_BYTES_MAX,
      lingerMs: 200,
    })
    expect((await get(target(), '/v1/cluster')).json).toMatchObject({
      controller: 1,
      voters: [1],
      brokers: [{ id: 1, state: 'live' }],
    })
    expect((await get(target(), '/v1/brokers')).json).toMatchObject({
      brokers: [{ id: 1, state: 'live', isController: true, isVoter: true }],
    })
    expect((await call(target(), 'PUT', '/v1/cluster/voters/1')).json).toEqual({ voters: [1] })
    expect((await call(target(), 'DELETE', '/v1/cluster/voters/1')).status).toBe(409)
    expect((await call(target(), 'PUT', '/v1/cluster/voters/7')).status).toBe(404)
    expect((await call(target(), 'PUT', '/v1/cluster/voters/one')).status).toBe(422)
    const metrics = await get(target(), '/metrics')
    expect([metrics.status, metrics.headers.get('content-type')]).toEqual([
      200,
      'text/plain; version=0.0.4; charset=utf-8',
    ])
    expect(metrics.text).toContain('# HELP naru')
    expect((await call(target(), 'POST', '/v1/producers')).json['producerEpoch']).toBe(0)
  })

  test('what is pushed is documented as committed: every op, every event', async () => {
    const { text } = await get(target(), '/asyncapi.json')
    expect(text).toBe(await Bun.file(`${import.meta.dir}/../../openapi/asyncapi.json`).text())
    const { channels } = JSON.parse(text) as { channels: Record<string, { messages: object }> }
    expect(Object.keys(channels['said']!.messages)).toContain('subscribe')
    expect(Object.keys(channels['heard']!.messages)).toContain('records')
    expect(Object.keys(channels['topicEvents']!.messages)).toContain('reset')
  })

  test('the document is the committed one, and every operation of it is there', async () => {
    const { text } = await get(target(), '/openapi.json')
    expect(text).toBe(await Bun.file(`${import.meta.dir}/../../openapi/openapi.json`).text())
    const document = JSON.parse(text) as Document
    expect(document.openapi).toBe('3.1.0')
    const ids: string[] = []
    for (const [path, operations] of Object.entries(document.paths)) {
      for (const [method, { operationId }] of Object.entries(operations)) {
        ids.push(operationId)
        const concrete = path.replace('{topic}', 'no-such-topic').replaceAll(/\{\w+\}/g, '0')
        const answer = await call(target(), method.toUpperCase(), concrete)
        expect([path, method, answer.status === 405, answer.json['code'] === 'not-found']).toEqual([
          path,
          method,
          false,
          false,
        ])
      }
    }
    expect(new Set(ids).size).toBe(ids.length)
  })
})
