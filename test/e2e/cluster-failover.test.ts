// Three compiled brokers that lose one: whoever decides, or whoever leads.

import { expect, test } from 'bun:test'
import { until } from './broker-process.ts'
import { ClusterProcesses } from './cluster.ts'
import { runFailovers } from './soak/failover-run.ts'

const TEST_MS = 60_000
/** At default timings: an election takes one to two seconds. */
const FAILOVER_MS = 3_000
const ROUNDS = 5
/** Of what has no time named: a machine that is short of time fails no test by that. */
const WITHIN_MS = 20_000

test(
  'the controller is killed, or held up: another decides within three seconds, and nothing committed is lost',
  async () => {
    const { slowestMs, topics } = await runFailovers({ rounds: ROUNDS })
    expect(slowestMs).toBeLessThan(FAILOVER_MS)
    expect(topics).toBe(ROUNDS * 4)
  },
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
      await until(Date.now() + WITHIN_MS, async () => {
        return (await fetch(`${cluster.urlOf(1)}/v1/topics/${gone}/records`, { method: 'POST', body: 'x' })).ok
      })
      expect(await cluster.broker(3).stop()).toBe(0)
      await cluster.kill(3)
      const ask = (): Promise<Response> => fetch(`${cluster.urlOf(1)}/v1/topics/${gone}/records`)
      await until(
        Date.now() + WITHIN_MS,
        async () => ((await (await ask()).json()) as { code?: string }).code === 'no-leader',
      )
      const refused = await fetch(`${cluster.urlOf(2)}/v1/topics/${gone}/records`, { method: 'POST', body: 'y' })
      expect([refused.status, await refused.json()]).toMatchObject([503, { code: 'no-leader', outcome: 'none' }])
      const other = topicOf.get(2)!
      const kept = await fetch(`${cluster.urlOf(1)}/v1/topics/${other}/records`, { method: 'POST', body: 'z' })
      expect(kept.status).toBe(200)
      await cluster.startBroker(3)
      await until(Date.now() + WITHIN_MS, async () => {
        const { records = [] } = (await (await ask()).json()) as { records?: { value: string }[] }
        return records.map(({ value }) => value).join() === 'x'
      })
    }),
  TEST_MS,
)

test(
  'what is listed anywhere holds all that was answered before it was asked, also while the controller dies',
  () =>
    ClusterProcesses.run(3, async (cluster) => {
      const acked: { topic: string; atMs: number }[] = []
      const missed: string[] = []
      let lists = 0
      let isOver = false
      const ask = (id: number, path: string, method = 'GET'): Promise<Response | null> =>
        fetch(cluster.urlOf(id) + path, { method, signal: AbortSignal.timeout(8_000) }).catch(() => null)
      const writer = async (id: number): Promise<void> => {
        for (let i = 0; !isOver; i++) {
          const topic = `w${id}-${i}`
          const answer = await ask(id, `/v1/topics/${topic}`, 'PUT')
          if (answer?.status === 201) acked.push({ topic, atMs: performance.now() })
          await Bun.sleep(answer === null ? 50 : 5)
        }
      }
      const reader = async (id: number): Promise<void> => {
        while (!isOver) {
          const fromMs = performance.now()
          const answer = await ask(id, '/v1/topics?limit=1000')
          if (answer?.status !== 200) {
            await Bun.sleep(50)
            continue
          }
          lists++
          const { topics } = (await answer.json()) as { topics: { topic: string }[] }
          const seen = new Set(topics.map(({ topic }) => topic))
          for (const { topic, atMs } of acked) if (atMs < fromMs && !seen.has(topic)) missed.push(`${topic} at ${id}`)
        }
      }
      const work = [1, 2, 3].flatMap((id) => [writer(id), reader(id)])
      await until(Date.now() + 10_000, async () => acked.length > 20)
      const dead = await cluster.controller()
      const before = acked.length
      await cluster.kill(dead)
      await until(Date.now() + 10_000, async () => acked.length > before + 20)
      isOver = true
      await Promise.all(work)
      expect(missed).toEqual([])
      expect(lists).toBeGreaterThan(20)
    }),
  TEST_MS,
)
