// What the group suites speak with: members, polls, and what a group looks like from outside.

import { expect } from 'bun:test'
import { type Answer, call, get, post, type RecordOut, sendJson } from './client.ts'
import type { Target } from './target.ts'

export interface Polled {
  readonly state: string
  readonly generation: number
  readonly records: readonly RecordOut[]
  readonly cursor: string
  readonly caughtUp: boolean
  readonly partitions: readonly { topic: string; partition: number; nextOffset: number; problem?: unknown }[]
  readonly plan?: Plan
}

export interface Plan {
  readonly epoch: number
  readonly members: readonly { member: string; topics: readonly string[] }[]
  readonly partitions: readonly { topic: string; partitions: readonly number[] }[]
}

export interface Standing {
  readonly state: string
  readonly generation: number
  readonly assignment: readonly { topic: string; partitions: readonly number[] }[]
  readonly revoke?: readonly { topic: string; partitions: readonly number[] }[]
  readonly leader: string | null
  readonly heartbeatMs: number
  readonly plan?: Plan
}

let groups = 0

/** A name no other test uses. */
export function freshGroup(): string {
  return `g${groups++}`
}

/** One group of a target, spoken to as a client would. */
export class GroupCaller {
  readonly path: string

  constructor(
    readonly target: () => Target,
    readonly group: string,
  ) {
    this.path = `/v1/groups/${group}`
  }

  member(name: string): string {
    return `${this.path}/members/${name}`
  }

  async join(name: string, ask: Record<string, unknown>): Promise<Standing> {
    return expectOk(await sendJson(this.target(), 'PUT', this.member(name), ask)) as unknown as Standing
  }

  tryPoll(name: string, query = ''): Promise<Answer> {
    return call(this.target(), 'POST', `${this.member(name)}/poll?${query}`)
  }

  async poll(name: string, query = ''): Promise<Polled> {
    return expectOk(await this.tryPoll(name, query)) as unknown as Polled
  }

  async heartbeat(name: string, body: Record<string, unknown> = {}, query = ''): Promise<Standing> {
    const answer = await sendJson(this.target(), 'POST', `${this.member(name)}/heartbeat?${query}`, body)
    return expectOk(answer) as unknown as Standing
  }

  async leave(name: string): Promise<void> {
    expectOk(await call(this.target(), 'DELETE', this.member(name)))
  }

  async describe(): Promise<Answer['json']> {
    return expectOk(await get(this.target(), this.path))
  }

  /** What is committed, by `topic/partition`. */
  async committed(): Promise<Record<string, number>> {
    const { offsets } = expectOk(await get(this.target(), `${this.path}/offsets`)) as unknown as {
      offsets: { topic: string; partition: number; nextOffset: number }[]
    }
    return Object.fromEntries(offsets.map(({ topic, partition, nextOffset }) => [`${topic}/${partition}`, nextOffset]))
  }

  putOffsets(body: Record<string, unknown>): Promise<Answer> {
    return sendJson(this.target(), 'PUT', `${this.path}/offsets`, body)
  }

  reset(body: Record<string, unknown>): Promise<Answer> {
    return sendJson(this.target(), 'POST', `${this.path}/offsets/reset`, body)
  }

  putPlan(body: Record<string, unknown>): Promise<Answer> {
    return sendJson(this.target(), 'PUT', `${this.path}/plan`, body)
  }
}

export function expectOk(answer: Answer): Answer['json'] {
  expect([answer.status, answer.text]).toEqual([200, answer.text])
  return answer.json
}

/** So many records in a partition, their values their offsets. */
export async function fill(target: Target, topic: string, partition: number, count: number): Promise<void> {
  const lines = Array.from({ length: count }, (_, i) => `${i}\n`).join('')
  const path = `/v1/topics/${topic}/partitions/${partition}/records`
  expectOk(await post(target, path, lines, { 'content-type': 'application/x-ndjson' }))
}

export function partitionsIn(assignment: Standing['assignment'] | undefined): string[] {
  return (assignment ?? []).flatMap(({ topic, partitions }) => partitions.map((p) => `${topic}/${p}`))
}
