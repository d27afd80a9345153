// Groups: what members fetch beside what anybody fetches, commits that are on the disk when they are answered; and what groups cost
// that only wait, and how soon their offsets are known after a restart.

import { type BrokerProcess, scratchFolder, until } from '../e2e/broker-process.ts'
import { type BenchWorld, makeTopic, type Row } from './bench-world.ts'
import { compare } from './comparison.ts'
import { request } from './load.ts'
import { ParkedPolls } from './parked-polls.ts'
import { JSON_RECORDS, JSON_TYPE, jsonBody } from './payloads.ts'
import { cpuSeconds, rssBytes, startBroker } from './servers.ts'

const MEMBERS = 16
const COMMITS_PER_S = 20_000
const COMMIT_CONNECTIONS = 128
const SETTLE_MS_MAX = 60_000
const JOINS_AT_ONCE = 50
const IDLE_S = 5
const OFFSETS_PER_GROUP = 100
const START_MS_MAX = 60_000

interface Described {
  readonly state: string
  readonly partitions: readonly { readonly partition: number; readonly member: string | null }[]
}

/** Each of the members has one of the partitions, all of them alike. */
export async function groups(world: BenchWorld): Promise<Row[]> {
  const { broker } = world
  const topic = await makeTopic(world, MEMBERS)
  const body = jsonBody()
  for (let p = 0; p < MEMBERS; p++) await post(broker, `/v1/topics/${topic}/partitions/${p}/records`, body)
  const path = `/v1/groups/${topic}`
  for (let m = 0; m < MEMBERS; m++) await broker.call('PUT', `${path}/members/m${m}`, { topics: [topic] })
  const described = await settled(broker, path)
  const holders = described.partitions.map(({ member }) => member!)
  return [...(await fetches(world, topic, path, holders)), ...(await commits(world, topic, path, holders))]
}

/** A member says what it has dropped by polling. */
async function settled(broker: BrokerProcess, path: string): Promise<Described> {
  for (const deadline = Date.now() + SETTLE_MS_MAX; ;) {
    for (let m = 0; m < MEMBERS; m++) await broker.call('POST', `${path}/members/m${m}/poll?limit=1`)
    const described = await broker.call<Described>('GET', path)
    if (described.state === 'stable') return described
    if (Date.now() > deadline) throw new Error(`the group is ${described.state}`)
  }
}

async function fetches(
  { broker, pace }: BenchWorld,
  topic: string,
  path: string,
  holders: readonly string[],
): Promise<Row[]> {
  const rows: Row[] = []
  for (const limit of [10, JSON_RECORDS]) {
    const plain = holders.map((_, p) => request('GET', `/v1/topics/${topic}/partitions/${p}/records?limit=${limit}`))
    const group = holders.map((member) => request('POST', `${path}/members/${member}/poll?limit=${limit}`))
    const [anybody, member] = await compare(
      [
        { name: 'plain', server: broker, connections: MEMBERS, requests: plain },
        { name: 'group', server: broker, connections: MEMBERS, requests: group },
      ],
      pace,
    )
    const common = { recordsPerRequest: limit, payloadBytes: anybody!.replyBytes }
    rows.push({ path: `fetch of ${limit} records by anybody`, measured: anybody!, ...common })
    rows.push({
      path: `fetch of ${limit} records by members of a group`,
      measured: member!,
      ...common,
      against: 'plain fetch',
      ratio: member!.requestsPerSecond / anybody!.requestsPerSecond,
      ...(limit === JSON_RECORDS ? { target: 0.8 } : null),
    })
  }
  return rows
}

async function commits(
  { broker, pace }: BenchWorld,
  topic: string,
  path: string,
  holders: readonly string[],
): Promise<Row[]> {
  const requests = Array.from({ length: JSON_RECORDS }, (_, i) => {
    const partition = i % holders.length
    const offsets = [{ topic, partition, nextOffset: i + 1 }]
    return request('PUT', `${path}/offsets`, JSON.stringify({ member: holders[partition], offsets }), JSON_TYPE)
  })
  const [measured] = await compare(
    [{ name: 'commit', server: broker, connections: COMMIT_CONNECTIONS, requests, synced: true }],
    pace,
  )
  return [
    {
      path: `commits of one offset, synced, n=${COMMIT_CONNECTIONS}`,
      measured: measured!,
      recordsPerRequest: 1,
      payloadBytes: 0,
      against: '20 000 a second',
      ratio: measured!.requestsPerSecond / COMMITS_PER_S,
      target: 1,
      note: `a sync took ${(measured!.syncSeconds * 1000).toFixed(2)} ms`,
    },
  ]
}

async function post(broker: BrokerProcess, path: string, body: string): Promise<void> {
  const response = await fetch(broker.url + path, { method: 'POST', body, headers: JSON_TYPE })
  if (!response.ok) throw new Error(`POST ${path}: ${response.status} ${await response.text()}`)
  await response.arrayBuffer()
}

// --- groups that wait ----------------------------------------------------------------------------------------------------

export async function idleGroups(short: boolean): Promise<string[]> {
  const groupCount = short ? 100 : 1_000
  const each = 10
  const memberCount = groupCount * each
  const scratch = scratchFolder('bench')
  const broker = await startBroker(scratch.folder)
  const pathOf = (i: number): string => `/v1/groups/g${Math.floor(i / each)}/members/m${i % each}`
  try {
    const before = rssBytes(broker.pid)
    const joining = performance.now()
    // They take the topic up when it comes, all at once: nobody has to drop anything.
    await atOnce(memberCount, JOINS_AT_ONCE, (i) => broker.call('PUT', pathOf(i), { topics: ['quiet'] }))
    const joinedMs = performance.now() - joining
    const joined = rssBytes(broker.pid)
    const spreading = performance.now()
    await broker.call('PUT', '/v1/topics/quiet', { partitions: each })
    await until(Date.now() + SETTLE_MS_MAX, async () => {
      const { state, partitions } = await broker.call<Described>('GET', `/v1/groups/g${groupCount - 1}`)
      return state === 'stable' && partitions.length === each && partitions.every(({ member }) => member !== null)
    })
    const spreadMs = performance.now() - spreading
    const polls = await ParkedPolls.open(broker.port, (i) => request('POST', `${pathOf(i)}/poll?wait=60s`), memberCount)
    await Bun.sleep(1_000)
    const parked = rssBytes(broker.pid)
    const cpu = cpuSeconds(broker.pid)
    await Bun.sleep(IDLE_S * 1_000)
    const busy = (cpuSeconds(broker.pid) - cpu) / IDLE_S
    polls.close()
    const kilobytes = (bytes: number): string => (bytes / memberCount / 1_000).toFixed(1)
    return [
      `${groupCount} groups, ${memberCount} members: joined in ${joinedMs.toFixed(0)} ms, ${kilobytes(joined - before)} KB each; ` +
        `a new topic spread over all of them in ${spreadMs.toFixed(0)} ms`,
      `each with a poll that waits: ${kilobytes(parked - before)} KB a member, RSS ${(parked / 1e6).toFixed(0)} MB; ` +
        `idle ${(busy * 100).toFixed(1)} % of a core`,
    ]
  } finally {
    await broker.kill()
    scratch.remove()
  }
}

async function atOnce(count: number, lanes: number, one: (i: number) => Promise<unknown>): Promise<void> {
  let next = 0
  const lane = async (): Promise<void> => {
    while (next < count) await one(next++)
  }
  await Promise.all(Array.from({ length: lanes }, lane))
}

/** From the start of the process to when every group's offsets are told, beside the same without any. */
export async function groupRestart(short: boolean): Promise<string[]> {
  const groupCount = short ? 100 : 1_000
  const scratch = scratchFolder('bench')
  let broker = await startBroker(scratch.folder)
  try {
    await broker.call('PUT', '/v1/topics/many', { partitions: OFFSETS_PER_GROUP })
    const offsets = Array.from({ length: OFFSETS_PER_GROUP }, (_, p) => ({
      topic: 'many',
      partition: p,
      nextOffset: 0,
    }))
    await broker.call('PUT', '/v1/groups/first/offsets', { offsets })
    await broker.kill()
    const without = await known(scratch.folder, 1)
    broker = without.broker
    await atOnce(groupCount - 1, JOINS_AT_ONCE, (i) => broker.call('PUT', `/v1/groups/g${i}/offsets`, { offsets }))
    await broker.kill()
    const withAll = await known(scratch.folder, groupCount)
    broker = withAll.broker
    return [
      `kill -9 with ${groupCount * OFFSETS_PER_GROUP} committed offsets in ${groupCount} groups: all known ` +
        `${withAll.ms.toFixed(0)} ms after the process was started (with ${OFFSETS_PER_GROUP}: ${without.ms.toFixed(0)} ms; target < 1 000)`,
    ]
  } finally {
    await broker.kill()
    scratch.remove()
  }
}

async function known(folder: string, groupCount: number): Promise<{ broker: BrokerProcess; ms: number }> {
  const startedAt = performance.now()
  const broker = await startBroker(folder, [], START_MS_MAX)
  await until(Date.now() + START_MS_MAX, async () => {
    const page = await broker.call<{ groups: unknown[] }>('GET', '/v1/groups?limit=1000')
    return page.groups.length >= groupCount
  })
  return { broker, ms: performance.now() - startedAt }
}
