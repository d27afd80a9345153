// Three compiled brokers: any of them takes any request, and what was committed outlives the death of whoever decides.

import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { until } from './broker-process.ts'
import { ClusterProcesses } from './cluster.ts'

const TEST_MS = 60_000
/** At default timings: an election takes one to two seconds. */
const FAILOVER_MS = 3_000
const ROUNDS = 3

const namesOf = async (cluster: ClusterProcesses, id: number): Promise<string[]> => {
  const { topics } = await cluster.broker(id).call<{ topics: { topic: string }[] }>('GET', '/v1/topics?limit=1000')
  return topics.map(({ topic }) => topic)
}

/** What a request is answered, or 0 when nobody answers. */
async function put(url: string): Promise<number> {
  const sent = fetch(url, { method: 'PUT', signal: AbortSignal.timeout(10_000) })
  return sent.then(
    ({ status }) => status,
    () => 0,
  )
}

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
          const at = `/v1/topics/${topic}/partitions/0`
          await until(Date.now() + 5_000, async () => {
            const sent = await fetch(cluster.urlOf(id) + `${at}/records`, { method: 'POST', body: value })
            return sent.status === 200
          })
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
    }),
  TEST_MS,
)

test(
  'the controller is killed: another decides within three seconds, and nothing committed is lost',
  () =>
    ClusterProcesses.run(3, async (cluster) => {
      const committed: string[] = []
      for (let round = 0; round < ROUNDS; round++) {
        for (const id of cluster.up) {
          const topic = `t${round}-${id}`
          await cluster.broker(id).call('PUT', `/v1/topics/${topic}`)
          committed.push(topic)
        }
        const dead = await cluster.controller()
        const [other] = cluster.up.filter((id) => id !== dead)
        await cluster.kill(dead)
        const killedAt = performance.now()
        const topic = `after-${round}`
        const status = await put(`${cluster.urlOf(other!)}/v1/topics/${topic}`)
        const failoverMs = performance.now() - killedAt
        expect(status).toBe(201)
        expect(failoverMs).toBeLessThan(FAILOVER_MS)
        committed.push(topic)
        await cluster.startBroker(dead)
        await cluster.settled(3)
        for (const id of cluster.up) expect(await namesOf(cluster, id)).toEqual(committed.toSorted())
      }
    }),
  TEST_MS,
)

test(
  'a leader that is gone leaves its topic offline, and the rest goes on; it leads again when it is back',
  () =>
    ClusterProcesses.run(3, async (cluster) => {
      for (const id of [1, 2, 3]) await cluster.broker(1).call('PUT', `/v1/topics/t${id}`)
      const views = await Promise.all(
        [1, 2, 3].map(async (id) => {
          const view = await cluster.broker(1).call<{ partitions: { leader: number }[] }>('GET', `/v1/topics/t${id}`)
          return [view.partitions[0]!.leader, `t${id}`] as const
        }),
      )
      const topicOf = new Map(views)
      const gone = topicOf.get(3)!
      await until(Date.now() + 5_000, async () => {
        return (await fetch(`${cluster.urlOf(1)}/v1/topics/${gone}/records`, { method: 'POST', body: 'x' })).ok
      })
      expect(await cluster.broker(3).stop()).toBe(0)
      await cluster.kill(3)
      const ask = (): Promise<Response> => fetch(`${cluster.urlOf(1)}/v1/topics/${gone}/records`)
      await until(
        Date.now() + 5_000,
        async () => ((await (await ask()).json()) as { code?: string }).code === 'no-leader',
      )
      const refused = await fetch(`${cluster.urlOf(2)}/v1/topics/${gone}/records`, { method: 'POST', body: 'y' })
      expect([refused.status, await refused.json()]).toMatchObject([503, { code: 'no-leader', outcome: 'none' }])
      const other = topicOf.get(2)!
      const kept = await fetch(`${cluster.urlOf(1)}/v1/topics/${other}/records`, { method: 'POST', body: 'z' })
      expect(kept.status).toBe(200)
      await cluster.startBroker(3)
      await until(Date.now() + 5_000, async () => {
        const { records = [] } = (await (await ask()).json()) as { records?: { value: string }[] }
        return records.map(({ value }) => value).join() === 'x'
      })
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
      await until(Date.now() + 10_000, async () => (await vote('PUT', 4)).voters.includes(4))
      await until(Date.now() + 10_000, async () => (await vote('DELETE', 3)).voters.join() === '1,2,4')
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
