// What the console asks the broker over HTTP. A refusal is an error that carries the broker's own words.

export interface Problem {
  readonly title: string
  readonly detail?: string
  readonly code: string
  readonly retryable?: boolean
  readonly errors?: readonly { pointer: string; message: string }[]
}

export interface TopicSummary {
  readonly topic: string
  readonly partitions: number
}

export interface PartitionState {
  readonly partition: number
  readonly logStartOffset: number
  readonly highWatermark: number
  readonly damaged: boolean
}

export interface GroupSummary {
  readonly group: string
  readonly state: string
  readonly members: number
}

export interface TopicPartitions {
  readonly topic: string
  readonly partitions: readonly number[]
}

export interface GroupState {
  readonly group: string
  readonly state: string
  readonly delivery: string
  readonly assignor: string
  readonly tags: readonly string[]
  readonly members: readonly {
    readonly member: string
    readonly state: string
    readonly generation: number
    readonly assignment: readonly TopicPartitions[]
    readonly revoke: readonly TopicPartitions[]
  }[]
  readonly partitions: readonly {
    readonly topic: string
    readonly partition: number
    readonly member: string | null
    /** Null: nothing was ever committed, and there is no lag. */
    readonly nextOffset: number | null
    readonly highWatermark: number
    readonly lag: number | null
  }[]
}

export interface Produced {
  readonly partitions?: readonly { partition: number; baseOffset: number }[]
}

interface Asked {
  readonly method: 'GET' | 'POST' | 'PUT'
  /** With the query, from the root of the broker. */
  readonly address: string
  readonly contentType?: string
  readonly body?: string
}

/** A request as it is sent, and as it is shown. */
export interface Posted {
  readonly method: 'POST'
  readonly address: string
  readonly contentType: 'application/json' | 'text/plain'
  readonly body: string
}

export class Refused extends Error {
  constructor(problem: Problem) {
    super(wordsOf(problem))
  }
}

export function wordsOf({ title, detail, errors = [] }: Problem): string {
  const places = errors.map(({ pointer, message }) => (pointer === '' ? message : `${pointer}: ${message}`))
  return [detail ?? title, ...places].join('. ')
}

export function topicAddress(topic: string): string {
  return `/v1/topics/${encodeURIComponent(topic)}`
}

export async function ask<Answer>({ method, address, contentType, body }: Asked): Promise<Answer> {
  const response = await fetch(address, {
    method,
    ...(body === undefined ? null : { body }),
    ...(contentType === undefined ? null : { headers: { 'content-type': contentType } }),
  })
  const answer: unknown = await response.json().catch(() => null)
  if (response.ok) return answer as Answer
  throw new Refused(isProblem(answer) ? answer : { title: `The answer was ${response.status}`, code: 'internal' })
}

/** Every topic that is not the broker's own. */
export async function topics(): Promise<TopicSummary[]> {
  const found: TopicSummary[] = []
  for (let after: string | null = ''; after !== null;) {
    const behind: string = after === '' ? '' : `&after=${after}`
    const page: { topics: TopicSummary[]; after: string | null } = await ask({
      method: 'GET',
      address: `/v1/topics?limit=1000${behind}`,
    })
    found.push(...page.topics.filter(({ topic }) => !topic.startsWith('__')))
    after = page.after
  }
  return found
}

export async function partitionsOf(topic: string): Promise<readonly PartitionState[]> {
  const { partitions } = await ask<{ partitions: readonly PartitionState[] }>({
    method: 'GET',
    address: topicAddress(topic),
  })
  return partitions
}

export async function groups(): Promise<GroupSummary[]> {
  const found: GroupSummary[] = []
  for (let after: string | null = ''; after !== null;) {
    const behind: string = after === '' ? '' : `&after=${after}`
    const page: { groups: GroupSummary[]; after: string | null } = await ask({
      method: 'GET',
      address: `/v1/groups?limit=1000${behind}`,
    })
    found.push(...page.groups)
    after = page.after
  }
  return found
}

export function groupNamed(group: string): Promise<GroupState> {
  return ask({ method: 'GET', address: `/v1/groups/${encodeURIComponent(group)}` })
}

function isProblem(value: unknown): value is Problem {
  return typeof value === 'object' && value !== null && 'code' in value && 'title' in value
}
