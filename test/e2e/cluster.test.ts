// Three compiled brokers: any of them takes any request, streams too; one that died is replaced, and who does not belong is told.

import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { until } from './broker-process.ts'
import { ClusterProcesses } from './cluster.ts'

const TEST_MS = 60_000

test(
  'a topic is made, written and read through any of them; the one that leads it is named',
  () =>
    ClusterProcesses.run(3, async (cluster) => {
      const topics = ['a', 'b', 'c', 'd', 'e', 'f']
      for (const [i, topic] of topics.entries()) {
        await cluster.broker((i % 3) + 1).call('PUT', `/v1/topics/${topic}`, { partitions: 2 })
      }
      const leaders = new Set<number | null>()
      for (const topic of topics) {
        const values: string[] = []
        for (const id of [1, 2, 3]) {
          const value = `from ${id}`
          values.push(value)
          const url = `${cluster.urlOf(id)}/v1/topics/${topic}/partitions/0/records`
          const sent = await fetch(url, { method: 'POST', body: value })
          expect([sent.status, await sent.text()]).toEqual([200, expect.any(String)])
        }
        for (const id of [1, 2, 3]) {
          const answer = await fetch(`${cluster.urlOf(id)}/v1/topics/${topic}/records`)
          const { records } = (await answer.json()) as { records: { value: string }[] }
          expect(records.map(({ value }) => value)).toEqual(values)
          const view = await cluster.broker(id).call<{ partitions: { leader: number }[] }>('GET', `/v1/topics/${topic}`)
          const { leader } = view.partitions[0]!
          leaders.add(leader)
          expect(answer.headers.get('naru-leader')).toBe(leader === id ? null : cluster.urlOf(leader))
        }
      }
      expect(leaders).toEqual(new Set([1, 2, 3]))
      // A group is polled through any of them. What its coordinator does not lead it says, rather than answer with nothing.
      const polled = new Set<unknown>()
      for (const [i, topic] of topics.entries()) {
        const member = `${cluster.urlOf((i % 3) + 1)}/v1/groups/over-${topic}/members/me`
        const body = JSON.stringify({ topics: [topic] })
        await until(Date.now() + 20_000, async () => {
          return (await fetch(member, { method: 'PUT', body, headers: { 'content-type': 'application/json' } })).ok
        })
        const poll = await fetch(`${member}/poll?wait=1s`, { method: 'POST' })
        const { records, code } = (await poll.json()) as { records?: unknown[]; code?: string }
        polled.add(code ?? records!.length)
      }
      expect(polled).toEqual(new Set(['unsupported', 3]))
    }),
  TEST_MS,
)

test(
  'what is streamed passes through another broker as it comes, both ways',
  () =>
    ClusterProcesses.run(2, async (cluster) => {
      for (const topic of ['a', 'b']) await cluster.broker(1).call('PUT', `/v1/topics/${topic}`)
      const { partitions } = await cluster.broker(1).call<{ partitions: { leader: number }[] }>('GET', '/v1/topics/a')
      const other = partitions[0]!.leader === 1 ? 2 : 1
      const records = `${cluster.urlOf(other)}/v1/topics/a/records`
      const followed = await fetch(`${records}?follow=true`, { headers: { accept: 'application/x-ndjson' } })
      const lines = followed.body!.pipeThrough(new TextDecoderStream()).getReader()
      let up!: ReadableStreamDefaultController<Uint8Array>
      const body = new ReadableStream<Uint8Array>({ start: (controller) => void (up = controller) })
      const upload = fetch(`${records}?split=lines`, { method: 'POST', body })
      for (const line of ['one', 'two', 'three']) {
        up.enqueue(new TextEncoder().encode(`${line}\n`))
        let seen = ''
        while (!seen.includes(line)) seen += (await lines.read()).value ?? ''
      }
      up.close()
      expect(((await (await upload).json()) as { count: number }).count).toBe(3)
      await lines.cancel()
    }),
  TEST_MS,
)

test(
  'a fourth broker takes the vote of one that died; who does not belong is told why',
  () =>
    ClusterProcesses.run(3, async (cluster) => {
      await cluster.kill(3)
      await cluster.startBroker(4)
      const vote = (method: string, id: number) =>
        cluster.broker(1).call<{ voters: number[] }>(method, `/v1/cluster/voters/${id}`)
      await until(Date.now() + 20_000, async () => (await vote('PUT', 4)).voters.includes(4))
      await until(Date.now() + 20_000, async () => (await vote('DELETE', 3)).voters.join() === '1,2,4')
      await cluster.settled(3)

      const refused = async (id: number, flags: readonly string[]): Promise<string> => {
        const broker = cluster.spawn(id, flags)
        expect(await broker.exited).toBe(1)
        return broker.output
      }
      const folder = (name: string): string[] => ['--data', join(cluster.folder, name)]
      expect(await refused(5, [...folder('new'), '--node-id', '2'])).toContain('take another --node-id')
      await Bun.write(join(cluster.folder, 'wrong'), 'another secret than the cluster has')
      const wrong = ['--cluster-secret-file', join(cluster.folder, 'wrong')]
      expect(await refused(6, wrong)).toContain('the cluster secrets differ')
      const alone = cluster.spawn(1, [...folder('other'), '--port', '0'])
      await alone.ready()
      await alone.kill()
      expect(await refused(7, [...folder('other'), '--node-id', '1'])).toContain('join with an empty one')
      for (const id of cluster.up) expect((await cluster.status(id)).voters).toEqual([1, 2, 4])
    }),
  TEST_MS,
)
