// Three brokers that lose whoever decides, again and again: killed in one round, held up in the next. What was committed before is
// listed by all of them afterwards.

import { expect } from 'bun:test'
import { ClusterProcesses } from '../cluster.ts'

export interface FailoverFigures {
  /** From the loss of the controller to the answer of the next change. */
  medianMs: number
  slowestMs: number
  /** Committed, and listed by every broker in the end. */
  topics: number
}

export interface FailoverOptions {
  rounds: number
  report?: (line: string) => void
}

export async function runFailovers({ rounds, report = () => {} }: FailoverOptions): Promise<FailoverFigures> {
  const committed: string[] = []
  const tookMs: number[] = []
  await ClusterProcesses.run(3, async (cluster) => {
    for (let round = 0; round < rounds; round++) {
      for (const id of cluster.up) {
        const topic = `t${round}-${id}`
        await cluster.broker(id).call('PUT', `/v1/topics/${topic}`)
        committed.push(topic)
      }
      const topic = `after-${round}`
      tookMs.push(await failOver(cluster, round % 2 === 1, topic))
      committed.push(topic)
      for (const id of cluster.up) expect(await namesOf(cluster, id)).toEqual(committed.toSorted())
      report(`round ${round + 1}: ${tookMs.at(-1)!.toFixed(0)} ms`)
    }
  })
  tookMs.sort((a, b) => a - b)
  return { medianMs: tookMs[rounds >> 1]!, slowestMs: tookMs.at(-1)!, topics: committed.length }
}

/** The controller goes, `topic` is made through another broker, and it comes back. Resolves to how long the answer took. */
async function failOver(cluster: ClusterProcesses, isHeldUp: boolean, topic: string): Promise<number> {
  const controller = await cluster.controller()
  const [other] = cluster.up.filter((id) => id !== controller)
  const url = `${cluster.urlOf(other!)}/v1/topics/${topic}`
  if (isHeldUp) process.kill(cluster.broker(controller).pid, 'SIGSTOP')
  else await cluster.kill(controller)
  const fromMs = performance.now()
  let status = await put(url)
  // Who is held up may have been asked: that the outcome is unknown is true, and a repeat tells.
  if (isHeldUp && status === 504) status = await put(url)
  const tookMs = performance.now() - fromMs
  if (isHeldUp) process.kill(cluster.broker(controller).pid, 'SIGCONT')
  else await cluster.startBroker(controller)
  expect([200, 201]).toContain(status)
  await cluster.settled(3)
  return tookMs
}

async function namesOf(cluster: ClusterProcesses, id: number): Promise<string[]> {
  const names: string[] = []
  for (let after = ''; ;) {
    const path = `/v1/topics?limit=1000${after === '' ? '' : `&after=${after}`}`
    const { topics } = await cluster.broker(id).call<{ topics: { topic: string }[] }>('GET', path)
    names.push(...topics.map(({ topic }) => topic))
    if (topics.length < 1_000) return names
    after = names.at(-1)!
  }
}

/** What a request is answered, or 0 when nobody answers. */
async function put(url: string): Promise<number> {
  const sent = fetch(url, { method: 'PUT', signal: AbortSignal.timeout(10_000) })
  return sent.then(
    ({ status }) => status,
    () => 0,
  )
}
