// A lost reply commits nothing: answers of polls are cut after they were sent, requests come twice or come back much later, and the
// broker is killed and started again. Nothing is committed that was not handled, and nothing is passed over.

import { afterAll, expect, test } from 'bun:test'
import { scratchFolder, until } from './broker-process.ts'
import { LossyProxy, type Mischief } from './lossy-proxy.ts'
import { GroupMember, HandledLedger, type MemberWorld } from './soak/group-member.ts'
import { SeededRandom } from './soak/seeded-random.ts'
import { Site } from './soak/site.ts'

const PARTITIONS = 6
const RECORDS_EACH = 400
const MEMBERS = 3
const DONE_MS_MAX = 20_000
const MISCHIEFS: readonly Mischief[] = ['cut', 'cut', 'half', 'half', 'twice', 'late']

const scratch = scratchFolder('lost')
const site = new Site(scratch.folder)
const members: GroupMember[] = []
let proxy: LossyProxy | null = null

afterAll(async () => {
  await Promise.all(members.map((member) => member.die().catch(() => {})))
  proxy?.stop()
  await site.kill()
  scratch.remove()
})

async function committed(group: string): Promise<number[]> {
  const places = Array.from({ length: PARTITIONS }, () => 0)
  const { offsets } = await site.broker.call<{ offsets: { partition: number; nextOffset: number }[] }>(
    'GET',
    `/v1/groups/${group}/offsets`,
  )
  for (const { partition, nextOffset } of offsets) places[partition] = nextOffset
  return places
}

test('no record is passed over, whatever becomes of the answers, and none is committed before it was handled', async () => {
  const random = new SeededRandom(5)
  await site.start()
  await site.broker.call('PUT', '/v1/topics/lossy', { partitions: PARTITIONS })
  const line = Array.from({ length: RECORDS_EACH }, (_, i) => `${i}\n`).join('')
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const path = `/v1/topics/lossy/partitions/${partition}/records`
    const headers = { 'content-type': 'application/x-ndjson' }
    expect((await fetch(site.broker.url + path, { method: 'POST', body: line, headers })).status).toBe(200)
  }
  proxy = await LossyProxy.start(
    () => site.urlToRead(),
    (path) => (path.includes('/poll') && random.chance(0.4) ? random.pick(MISCHIEFS) : 'none'),
  )
  const ledger = new HandledLedger(PARTITIONS)
  const world: MemberWorld = {
    group: 'lossy',
    topic: 'lossy',
    ledger,
    join: { topics: ['lossy'] },
    random: random.fork(),
    url: async () => proxy!.url,
    restMsMax: 5,
    wait: '100ms',
    pollRecordsMax: 20,
  }
  for (let i = 0; i < MEMBERS; i++) members.push(new GroupMember(`m${i}`, world))
  const handledBehindCommitted = async (): Promise<number[]> => {
    const places = await committed('lossy')
    const missed = places.flatMap((end, partition) => ledger.missedBelow(partition, end))
    expect(missed).toEqual([])
    return places
  }
  const allOf = (share: number) => async (): Promise<boolean> => {
    const places = await handledBehindCommitted()
    return places.reduce((sum, place) => sum + place, 0) >= share * PARTITIONS * RECORDS_EACH
  }
  await until(Date.now() + DONE_MS_MAX, allOf(0.3))
  const acknowledged = [...ledger.acknowledged]
  await site.kill()
  await site.start()
  const after = await committed('lossy')
  expect(after.every((place, partition) => place >= acknowledged[partition]!)).toBe(true)
  await until(Date.now() + DONE_MS_MAX, allOf(1))
  await Promise.all(members.map((member) => member.leave()))
  for (let partition = 0; partition < PARTITIONS; partition++) {
    expect(ledger.missedBelow(partition, RECORDS_EACH)).toEqual([])
  }
  for (const kind of ['cut', 'half', 'twice', 'late'] as const) expect(proxy.done[kind]).toBeGreaterThan(3)
  expect(members.map(({ fencings }) => fencings)).toEqual(members.map(() => 0))
}, 60_000)
