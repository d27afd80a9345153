// Consumer groups: each partition to one member, what is committed stays, and only what is said to be done with is committed.

import { expect, test } from 'bun:test'
import { call, createTopic, expectProblem, freshTopic, get, NDJSON, post, sendJson } from './client.ts'
import { expectOk, fill, freshGroup, GroupCaller, partitionsIn } from './group-client.ts'
import { forEachTarget } from './target.ts'

const HEARTBEAT_MS = 5_000

forEachTarget((target) => {
  async function grouped(partitions: number): Promise<{ topic: string; group: GroupCaller }> {
    const topic = freshTopic()
    await createTopic(target(), topic, partitions)
    return { topic, group: new GroupCaller(target, freshGroup()) }
  }

  test('a poll gives records as they are stored, again and again until they are committed', async () => {
    const { topic, group } = await grouped(2)
    await post(target(), `/v1/topics/${topic}/partitions/0/records`, '[{"value":12.50},{"value":9007199254740993}]', {
      'content-type': 'application/json',
    })
    const joined = await group.join('me', { topics: [topic] })
    expect(joined).toMatchObject({ state: 'stable', leader: null, heartbeatMs: HEARTBEAT_MS })
    expect(partitionsIn(joined.assignment)).toEqual([`${topic}/0`, `${topic}/1`])
    const first = await group.tryPoll('me', 'wait=5s')
    expect(first.text).toContain('"value":12.50}')
    expect(first.text).toContain('"value":9007199254740993}')
    const polled = await group.poll('me')
    expect(polled).toMatchObject({ state: 'stable', generation: joined.generation, caughtUp: true })
    expect(polled.records).toMatchObject([
      { topic, partition: 0, offset: 0 },
      { topic, partition: 0, offset: 1 },
    ])
    expect(await group.poll('me', 'commit=')).toEqual(polled)
    expect(await group.committed()).toEqual({})
    const behind = await group.poll('me', `commit=${polled.cursor}`)
    expect(behind.records).toEqual([])
    expect((await group.committed())[`${topic}/0`]).toBe(2)
  })

  test('the same commit again is no fault, nor is one that is long past', async () => {
    const { topic, group } = await grouped(1)
    await fill(target(), topic, 0, 6)
    await group.join('me', { topics: [topic] })
    const first = await group.poll('me', 'limit=2')
    const second = await group.poll('me', `limit=2&commit=${first.cursor}`)
    expect(second.records.map(({ offset }) => offset)).toEqual([2, 3])
    const repeated = await group.poll('me', `limit=2&commit=${first.cursor}`)
    expect(repeated.records).toEqual(second.records)
    const third = await group.poll('me', `commit=${second.cursor}`)
    expect(third.records.map(({ offset }) => offset)).toEqual([4, 5])
    expect((await group.poll('me', `commit=${first.cursor}`)).records).toEqual(third.records)
    expect(await group.committed()).toEqual({ [`${topic}/0`]: 4 })
  })

  test('its cursor is the ordinary one: anybody may read on from it, and what anybody read may be committed', async () => {
    const { topic, group } = await grouped(2)
    for (const partition of [0, 1]) await fill(target(), topic, partition, 3)
    await group.join('me', { topics: [topic] })
    const { cursor } = await group.poll('me', 'limit=4')
    const onward = await get(target(), `/v1/topics/${topic}/records?cursor=${cursor}&limit=1`)
    expect((onward.json['records'] as unknown[]).length).toBe(1)
    await group.poll('me', `commit=${onward.json['cursor'] as string}`)
    const committed = Object.values(await group.committed())
    expect(committed.reduce((sum, offset) => sum + offset, 0)).toBe(5)
    expect((await group.poll('me')).records.length).toBe(1)
  })

  test('a poll waits for records, and ends at once when the member is asked to drop some', async () => {
    const { topic, group } = await grouped(2)
    const { generation } = await group.join('a', { topics: [topic] })
    const waiting = group.poll('a', 'wait=20s')
    await fill(target(), topic, 1, 1)
    expect((await waiting).records).toMatchObject([{ partition: 1, offset: 0 }])

    await group.poll('a', `commit=${(await group.poll('a')).cursor}`)
    const started = performance.now()
    const parked = group.poll('a', 'wait=20s')
    const other = await group.join('b', { topics: [topic] })
    expect(other).toMatchObject({ state: 'waiting', assignment: [] })
    const woken = await parked
    expect(performance.now() - started).toBeLessThan(10_000)
    expect(woken).toMatchObject({ records: [], cursor: '', state: 'revoking' })
    // Its next poll says that it has let go.
    const settled = await group.poll('a')
    expect(settled.state).toBe('stable')
    expect(settled.generation).toBeGreaterThan(generation)
    expect(settled.partitions.length).toBe(1)
    const { state, assignment } = await group.heartbeat('b')
    expect(state).toBe('stable')
    expect(partitionsIn(assignment).length).toBe(1)
    expect(partitionsIn(assignment)).not.toContain(`${topic}/${settled.partitions[0]!.partition}`)
  })

  test('a heartbeat that is held back tells what to drop; what is not owned any more goes to the other', async () => {
    const { topic, group } = await grouped(2)
    const { generation } = await group.join('a', { topics: [topic] })
    const held = group.heartbeat('a', { generation }, 'wait=20s')
    await group.join('b', { topics: [topic] })
    const told = await held
    expect(told).toMatchObject({ state: 'revoking', generation })
    expect(told.revoke?.length).toBe(1)
    const waiting = group.heartbeat('b', {}, 'wait=20s')
    const dropped = await group.heartbeat('a', { generation, owned: told.assignment })
    expect(dropped).toMatchObject({ state: 'stable', assignment: told.assignment })
    expect(dropped.generation).toBeGreaterThan(generation)
    const assigned = await waiting
    expect(partitionsIn(assigned.assignment)).toEqual(partitionsIn(told.revoke))
  })

  test('whoever leaves is followed at once, and the place is kept', async () => {
    const { topic, group } = await grouped(1)
    await fill(target(), topic, 0, 4)
    await group.join('a', { topics: [topic] })
    await group.join('b', { topics: [topic] })
    const { cursor } = await group.poll('a', 'limit=3')
    await group.poll('a', `limit=1&commit=${cursor}`)
    const waiting = group.poll('b', 'wait=20s')
    await group.leave('a')
    const woken = await waiting
    const next = woken.records.length > 0 ? woken : await group.poll('b')
    expect(next.records.map(({ offset }) => offset)).toEqual([3])
    expectProblem(await group.tryPoll('a'), 409, 'fenced')
  })

  test('a place with a name outlives its holder: the later one takes it over, with all it holds', async () => {
    const { topic, group } = await grouped(3)
    const ask = { topics: [topic], static: 'rack-1' }
    const first = await group.join('before', ask)
    await group.join('other', { topics: [topic] })
    await group.poll('before')
    const { assignment } = await group.heartbeat('before')
    const later = await group.join('after', ask)
    expect(later.assignment).toEqual(assignment)
    expect(later.generation).toBeGreaterThan(first.generation)
    expectProblem(await group.tryPoll('before'), 409, 'fenced')
    await group.leave('after')
    const away = (await group.describe())['members'] as { member: string; state: string }[]
    expect(away).toContainEqual(expect.objectContaining({ member: 'after', static: 'rack-1', state: 'away' }))
    expect((await group.join('again', ask)).assignment).toEqual(assignment)
  })

  test('by range, the partitions of a topic lie together', async () => {
    const { topic, group } = await grouped(4)
    await group.join('a', { topics: [topic], assignor: 'range' })
    await group.join('b', { topics: [topic] })
    await group.poll('a')
    expect(partitionsIn((await group.heartbeat('a')).assignment)).toEqual([`${topic}/0`, `${topic}/1`])
    expect(partitionsIn((await group.heartbeat('b')).assignment)).toEqual([`${topic}/2`, `${topic}/3`])
  })

  test('a topic that does not exist is taken up when it is created', async () => {
    const group = new GroupCaller(target, freshGroup())
    const topic = freshTopic()
    expect((await group.join('me', { topics: [topic] })).assignment).toEqual([])
    const waiting = group.poll('me', 'wait=20s')
    await createTopic(target(), topic, 2)
    expect((await waiting).records).toEqual([])
    await fill(target(), topic, 1, 1)
    const polled = await group.poll('me', 'wait=10s')
    expect(polled.records).toMatchObject([{ topic, partition: 1, offset: 0 }])
  })

  test('from latest means the end when a partition was first given, whatever happens then', async () => {
    const { topic, group } = await grouped(1)
    await fill(target(), topic, 0, 3)
    await group.join('me', { topics: [topic], from: 'latest' })
    expect((await group.poll('me')).records).toEqual([])
    await fill(target(), topic, 0, 1)
    expect((await group.poll('me')).records).toMatchObject([{ offset: 3 }])
    expect((await group.poll('me')).records).toMatchObject([{ offset: 3 }])
  })

  test('from none says which partition has no place, until it is given one', async () => {
    const { topic, group } = await grouped(1)
    await fill(target(), topic, 0, 3)
    const { generation } = await group.join('me', { topics: [topic], from: 'none' })
    const refused = await group.tryPoll('me')
    expectProblem(refused, 409, 'no-position')
    expect(refused.json).toMatchObject({ topic, partition: 0 })
    expectOk(await group.putOffsets({ member: 'me', generation, offsets: [{ topic, partition: 0, nextOffset: 2 }] }))
    expect((await group.poll('me')).records).toMatchObject([{ offset: 2 }])
  })

  test('at most once: what an answer holds is committed before it is sent', async () => {
    const { topic, group } = await grouped(1)
    await fill(target(), topic, 0, 5)
    await group.join('me', { topics: [topic], delivery: 'at-most-once' })
    expect((await group.poll('me', 'limit=3')).records.length).toBe(3)
    expect(await group.committed()).toEqual({ [`${topic}/0`]: 3 })
    expect((await group.poll('me')).records.map(({ offset }) => offset)).toEqual([3, 4])
  })

  test('records by tag, and as lines with the standing in headers', async () => {
    const { topic, group } = await grouped(1)
    await sendJson(target(), 'POST', `/v1/topics/${topic}/records`, [{ value: 1 }, { value: 2.5, tags: ['vip'] }])
    const { generation } = await group.join('me', { topics: [topic], tags: ['vip'] })
    const lines = await call(target(), 'POST', `${group.member('me')}/poll`, { headers: NDJSON })
    expect(lines.text).toBe('2.5\n')
    expect(lines.headers.get('naru-generation')).toBe(String(generation))
    expect(lines.headers.get('naru-member-state')).toBe('stable')
    const cursor = lines.headers.get('naru-cursor')!
    expect((await group.poll('me', `commit=${cursor}`)).records).toEqual([])
    const records = await call(target(), 'POST', `${group.member('me')}/poll?format=record`, { headers: NDJSON })
    expect(records.text).toBe('')
    expect(records.headers.get('naru-caught-up')).toBe('true')
  })

  test('a group shows its members, what each holds, and its lag; null where nothing was committed', async () => {
    const { topic, group } = await grouped(2)
    await fill(target(), topic, 0, 5)
    await group.join('me', { topics: [topic], sessionMs: 20_000 })
    await group.poll('me', `commit=${(await group.poll('me', 'limit=2')).cursor}`)
    expect(await group.describe()).toMatchObject({
      group: group.group,
      state: 'stable',
      delivery: 'at-least-once',
      assignor: 'sticky',
      from: 'earliest',
      members: [{ member: 'me', state: 'stable', topics: [topic], sessionMs: 20_000, static: null, revoke: [] }],
      partitions: [
        { topic, partition: 0, member: 'me', nextOffset: 2, lag: 3, highWatermark: 5, metadata: null },
        { topic, partition: 1, member: 'me', nextOffset: null, lag: null, highWatermark: 0 },
      ],
    })
    await group.leave('me')
    expect(await group.describe()).toMatchObject({
      state: 'empty',
      members: [],
      partitions: [{ member: null, lag: 3 }],
    })
  })

  test('groups are listed in pages, by name, within a prefix', async () => {
    const { topic } = await grouped(1)
    const prefix = `page-${freshGroup()}-`
    for (const letter of ['c', 'a', 'd', 'b', 'e'])
      await new GroupCaller(target, prefix + letter).join('me', { topics: [topic] })
    const seen: string[] = []
    for (let after = ''; ;) {
      const query = `prefix=${prefix}&limit=2${after === '' ? '' : `&after=${after}`}`
      const { json } = await get(target(), `/v1/groups?${query}`)
      const page = json['groups'] as { group: string; members: number; state: string }[]
      for (const { members, state } of page) expect([members, state]).toEqual([1, 'stable'])
      seen.push(...page.map(({ group }) => group))
      if (json['after'] === null) break
      after = json['after'] as string
    }
    expect(seen).toEqual(['a', 'b', 'c', 'd', 'e'].map((letter) => prefix + letter))
  })

  test('offsets are set forward and back, with words beside them, by a cursor or by number', async () => {
    const { topic, group } = await grouped(2)
    await fill(target(), topic, 0, 5)
    const offsets = [{ topic, partition: 0, nextOffset: 4, metadata: 'up to noon' }]
    expect(expectOk(await group.putOffsets({ offsets }))).toEqual({ group: group.group, count: 1 })
    const set = expectOk(await get(target(), `${group.path}/offsets`))
    expect(set['offsets']).toMatchObject([{ topic, partition: 0, nextOffset: 4, lag: 1, metadata: 'up to noon' }])
    const cursor = set['cursor'] as string
    expectOk(await group.putOffsets({ offsets: [{ topic, partition: 0, nextOffset: 1 }] }))
    expect(await group.committed()).toEqual({ [`${topic}/0`]: 1 })
    expectOk(await group.putOffsets({ cursor }))
    expect(await group.committed()).toEqual({ [`${topic}/0`]: 4 })
    await group.join('me', { topics: [topic] })
    expect((await group.poll('me')).records).toMatchObject([{ offset: 4 }])
  })

  test('a reset goes to a place, and shows it first where it is asked to', async () => {
    const { topic, group } = await grouped(2)
    await fill(target(), topic, 0, 5)
    await fill(target(), topic, 1, 3)
    await group.join('me', { topics: [topic] })
    await group.poll('me', `commit=${(await group.poll('me')).cursor}`)
    await group.leave('me')
    const before = { [`${topic}/0`]: 5, [`${topic}/1`]: 3 }
    const dry = expectOk(await group.reset({ to: 'earliest', dryRun: true }))
    expect(dry).toMatchObject({ group: group.group, dryRun: true })
    expect(dry['offsets']).toEqual([
      { topic, partition: 0, before: 5, nextOffset: 0 },
      { topic, partition: 1, before: 3, nextOffset: 0 },
    ])
    expect(await group.committed()).toEqual(before)
    const steps: [Record<string, unknown>, number, number][] = [
      [{ to: 'earliest' }, 0, 0],
      [{ to: 'latest' }, 5, 3],
      [{ to: '-2' }, 3, 1],
      [{ to: '@-1h', topic }, 0, 0],
      [{ to: 4, topic, partition: 0 }, 4, 0],
      [{ to: '1', topic, partition: 1 }, 4, 1],
    ]
    for (const [body, first, second] of steps) {
      expectOk(await group.reset(body))
      expect(await group.committed()).toEqual({ [`${topic}/0`]: first, [`${topic}/1`]: second })
    }
  })

  test('a group is deleted when it has no members, and its offsets with it', async () => {
    const { topic, group } = await grouped(1)
    await fill(target(), topic, 0, 1)
    await group.join('me', { topics: [topic] })
    await group.poll('me', `commit=${(await group.poll('me')).cursor}`)
    expectProblem(await call(target(), 'DELETE', group.path), 409, 'group-not-empty')
    await group.leave('me')
    expectOk(await call(target(), 'DELETE', group.path))
    expectProblem(await get(target(), group.path), 404, 'unknown-group')
    await group.join('me', { topics: [topic] })
    expect((await group.poll('me')).records.length).toBe(1)
  })

  test('the member named leader divides the partitions', async () => {
    const { topic, group } = await grouped(3)
    const joined = await group.join('a', { topics: [topic], assignor: 'leader' })
    expect(joined.leader).toBe('a')
    expect(joined.plan).toMatchObject({ partitions: [{ topic, partitions: [0, 1, 2] }], members: [{ member: 'a' }] })
    expect((await group.join('b', { topics: [topic] })).plan).toBeUndefined()
    const { plan } = await group.heartbeat('a')
    expect(plan?.members.map(({ member }) => member)).toEqual(['a', 'b'])
    const divided = [
      { member: 'a', partitions: [{ topic, partitions: [1] }] },
      { member: 'b', partitions: [{ topic, partitions: [0, 2] }] },
    ]
    const put = expectOk(await group.putPlan({ member: 'a', epoch: plan!.epoch, plan: divided }))
    expect(put).toEqual({ group: group.group, epoch: plan!.epoch })
    expect(partitionsIn((await group.heartbeat('a')).assignment)).toEqual([`${topic}/1`])
    expect(partitionsIn((await group.heartbeat('b')).assignment)).toEqual([`${topic}/0`, `${topic}/2`])
  })

  test('a partition that retires takes no records, is read to its end, and then is nobody’s', async () => {
    const { topic, group } = await grouped(2)
    await fill(target(), topic, 1, 2)
    await group.join('me', { topics: [topic] })
    const retire = `/v1/topics/${topic}/partitions/1/retire`
    const retiring = expectOk(await sendJson(target(), 'POST', retire, { afterMs: 60_000 }))
    expect(retiring['partitions']).toMatchObject([{ state: 'active' }, { partition: 1, state: 'retiring' }])
    expectProblem(await post(target(), `/v1/topics/${topic}/partitions/1/records`, 'more'), 409, 'partition-retiring')
    const polled = await group.poll('me')
    expect(polled.records.length).toBe(2)
    expectProblem(await sendJson(target(), 'POST', retire.replace('/1/', '/0/'), { afterMs: 0 }), 409, 'last-partition')
    expectProblem(
      await sendJson(target(), 'POST', retire.replace('/1/', '/7/'), { afterMs: 0 }),
      404,
      'unknown-partition',
    )

    const parked = group.poll('me', `wait=10s&commit=${polled.cursor}`)
    expectOk(await sendJson(target(), 'POST', retire, { afterMs: 0 }))
    expect((await parked).records).toEqual([])
    const after = await group.poll('me', `commit=${polled.cursor}`)
    expect(after.partitions.map(({ partition }) => partition)).toEqual([0])
  })

  test('a topic that goes takes its places along; one of the same name begins anew', async () => {
    const { topic, group } = await grouped(1)
    await fill(target(), topic, 0, 3)
    await group.join('me', { topics: [topic] })
    const { cursor } = await group.poll('me')
    await group.poll('me', `commit=${cursor}`)
    expectOk(await call(target(), 'DELETE', `/v1/topics/${topic}`))
    // Its old cursor is of nobody's records: it is no reason to stop.
    expect((await group.poll('me', `commit=${cursor}`)).records).toEqual([])
    await createTopic(target(), topic, 1)
    await fill(target(), topic, 0, 1)
    const polled = await group.poll('me', `wait=5s&commit=${cursor}`)
    const last = polled.records.length > 0 ? polled : await group.poll('me', 'wait=5s')
    expect(last.records).toMatchObject([{ topic, offset: 0 }])
  })

  test('addresses of groups know their methods and no others, and a page of another origin may change nothing', async () => {
    const group = new GroupCaller(target, freshGroup())
    for (const [method, path, allowed] of [
      ['HEAD', group.path, 'GET, DELETE, OPTIONS'],
      ['POST', group.path, 'GET, DELETE, OPTIONS'],
      ['GET', `${group.member('m')}/poll`, 'POST, OPTIONS'],
      ['HEAD', `${group.member('m')}/poll`, 'POST, OPTIONS'],
      ['GET', `${group.member('m')}/heartbeat`, 'POST, OPTIONS'],
      ['GET', group.member('m'), 'PUT, DELETE, OPTIONS'],
      ['PATCH', `${group.path}/offsets`, 'GET, PUT, OPTIONS'],
    ] as const) {
      const answer = await call(target(), method, path)
      expect([method, path, answer.status]).toEqual([method, path, 405])
      expect(answer.headers.get('allow')).toBe(allowed)
    }
    const foreign = { headers: { origin: 'https://elsewhere.example' } }
    expectProblem(await call(target(), 'POST', `${group.member('m')}/poll`, foreign), 403, 'forbidden-origin')
    expectProblem(await call(target(), 'DELETE', group.path, foreign), 403, 'forbidden-origin')
    const own = { headers: { origin: 'https://pages.example' } }
    const refused = await call(target(), 'POST', `${group.member('m')}/poll`, own)
    expectProblem(refused, 409, 'fenced')
    expect(refused.headers.get('access-control-allow-origin')).toBe('https://pages.example')
  })
})
