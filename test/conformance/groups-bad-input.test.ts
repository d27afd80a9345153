// What is wrong about groups is refused with a status, a code and the numbers to go on with; and the group is as it was.

import { beforeAll, describe, expect, test } from 'bun:test'
import { type Answer, call, createTopic, expectProblem, freshTopic, get, JSON_TYPE, sendJson } from './client.ts'
import { expectOk, fill, freshGroup, GroupCaller } from './group-client.ts'
import { forEachTarget, type Target } from './target.ts'

const MEMBERS_MAX = 1_000
const GROUPS_MAX = 5_000
const METADATA_BYTES_MAX = 4_096

interface BadAsk {
  readonly what: string
  readonly status: number
  readonly code: string
  readonly numbers?: Record<string, unknown>
  readonly ask: () => Promise<Answer>
}

interface Documented {
  readonly paths: Record<string, Record<string, { responses: Record<string, { description: string }> }>>
}

forEachTarget((target) => {
  let document: Documented
  /** What was asked last. */
  let asked = { method: '', path: '' }
  const watched = (): Target => ({
    ...target(),
    fetch: (path, init = {}) => {
      asked = { method: init.method ?? 'GET', path: path.replace(/\?.*/, '') }
      return target().fetch(path, init)
    },
  })
  let topic: string
  let other: string
  let group: GroupCaller
  let stranger: GroupCaller
  let generation: number
  /** Of the group's topic, and of one that it does not read. */
  let cursor: string
  let foreignCursor: string
  let topicId: string

  beforeAll(async () => {
    document = (await get(target(), '/openapi.json')).json as unknown as Documented
    topic = freshTopic()
    other = freshTopic()
    await createTopic(target(), topic, 2)
    await createTopic(target(), other, 1)
    for (const partition of [0, 1]) await fill(target(), topic, partition, 5)
    await fill(target(), other, 0, 5)
    topicId = (await get(target(), `/v1/topics/${topic}`)).json['topicId'] as string
    group = new GroupCaller(watched, freshGroup())
    stranger = new GroupCaller(target, freshGroup())
    await group.join('first', { topics: [topic], delivery: 'at-least-once', tags: [] })
    await group.join('second', { topics: [topic] })
    await group.poll('first')
    const polled = await group.poll('first', 'limit=2')
    expect(polled.partitions.length).toBe(1)
    await group.poll('first', `commit=${polled.cursor}`)
    generation = polled.generation
    cursor = polled.cursor
    await stranger.join('me', { topics: [other] })
    foreignCursor = (await stranger.poll('me')).cursor
    await stranger.leave('me')
  })

  /** Which partition the first member holds. */
  async function held(): Promise<number> {
    const { assignment } = await group.heartbeat('first')
    return assignment[0]!.partitions[0]!
  }

  const poll = (member: string, query: string): Promise<Answer> => group.tryPoll(member, query)
  const join = (body: unknown, member = 'third'): Promise<Answer> =>
    sendJson(watched(), 'PUT', group.member(member), body)
  const refusals: readonly BadAsk[] = [
    {
      what: 'a poll of a member that never joined',
      status: 409,
      code: 'fenced',
      numbers: { member: 'nobody', currentGeneration: null },
      ask: () => poll('nobody', ''),
    },
    {
      what: 'a poll in a group that never was',
      status: 409,
      code: 'fenced',
      ask: () => new GroupCaller(watched, 'never').tryPoll('me'),
    },
    {
      what: 'a heartbeat of a member that never joined',
      status: 409,
      code: 'fenced',
      ask: () => sendJson(watched(), 'POST', `${group.member('nobody')}/heartbeat`, {}),
    },
    {
      what: 'leaving without having joined',
      status: 409,
      code: 'fenced',
      ask: () => call(watched(), 'DELETE', group.member('nobody')),
    },
    {
      what: 'a commit of a member that never joined',
      status: 409,
      code: 'fenced',
      ask: () => group.putOffsets({ member: 'nobody', cursor }),
    },
    {
      what: 'a poll of an earlier generation',
      status: 409,
      code: 'fenced',
      numbers: { generation: 0 },
      ask: () => poll('first', 'generation=0'),
    },
    {
      what: 'a heartbeat of a generation that is not yet',
      status: 409,
      code: 'fenced',
      ask: () => sendJson(watched(), 'POST', `${group.member('first')}/heartbeat`, { generation: 1_000 }),
    },
    {
      what: 'a commit of an earlier generation',
      status: 409,
      code: 'fenced',
      ask: () => group.putOffsets({ member: 'first', generation: 0, cursor }),
    },
    {
      what: 'a commit of a partition that another holds',
      status: 409,
      code: 'not-held',
      ask: async () => {
        const partition = 1 - (await held())
        return group.putOffsets({ member: 'first', generation, offsets: [{ topic, partition, nextOffset: 1 }] })
      },
    },
    {
      what: 'the same by polling',
      status: 409,
      code: 'not-held',
      ask: async () => poll('first', `commit=${topicId}_${1 - (await held())}.3`),
    },
    {
      what: 'a commit beyond the end',
      status: 416,
      code: 'beyond-end',
      numbers: { offset: 6, highWatermark: 5 },
      ask: async () =>
        group.putOffsets({ member: 'first', offsets: [{ topic, partition: await held(), nextOffset: 6 }] }),
    },
    {
      what: 'the same by polling',
      status: 416,
      code: 'beyond-end',
      ask: async () => poll('first', `commit=${topicId}_${await held()}.600`),
    },
    {
      what: "a cursor of another group's topic",
      status: 422,
      code: 'foreign-topic',
      ask: () => poll('first', `commit=${foreignCursor}`),
    },
    {
      what: "offsets of another group's topic",
      status: 422,
      code: 'foreign-topic',
      ask: () => group.putOffsets({ member: 'first', offsets: [{ topic: other, partition: 0, nextOffset: 1 }] }),
    },
    {
      what: 'a cursor that does not say its topic',
      status: 400,
      code: 'malformed',
      ask: () => poll('first', 'commit=0.3'),
    },
    { what: 'a cursor that is none', status: 400, code: 'malformed', ask: () => poll('first', 'commit=what') },
    {
      what: 'offsets of a topic that is not there',
      status: 404,
      code: 'unknown-topic',
      ask: () => group.putOffsets({ member: 'first', offsets: [{ topic: 'nowhere', partition: 0, nextOffset: 1 }] }),
    },
    {
      what: 'a commit in nobody’s name while there are members',
      status: 409,
      code: 'group-not-empty',
      numbers: { members: 2 },
      ask: () => group.putOffsets({ cursor }),
    },
    {
      what: 'a reset while there are members',
      status: 409,
      code: 'group-not-empty',
      ask: () => group.reset({ to: 'earliest' }),
    },
    {
      what: 'deleting a group that has members',
      status: 409,
      code: 'group-not-empty',
      ask: () => call(watched(), 'DELETE', group.path),
    },
    {
      what: 'metadata over its limit',
      status: 422,
      code: 'limit-reached',
      numbers: { bytesMax: METADATA_BYTES_MAX },
      ask: async () => {
        const metadata = 'é'.repeat(METADATA_BYTES_MAX / 2 + 1)
        return group.putOffsets({
          member: 'first',
          offsets: [{ topic, partition: await held(), nextOffset: 1, metadata }],
        })
      },
    },
    {
      what: 'neither cursor nor offsets',
      status: 422,
      code: 'invalid',
      ask: () => group.putOffsets({ member: 'first' }),
    },
    {
      what: 'an offset below none',
      status: 422,
      code: 'invalid',
      ask: () => group.putOffsets({ member: 'first', offsets: [{ topic, partition: 0, nextOffset: -1 }] }),
    },
    {
      what: 'another delivery than the group has',
      status: 409,
      code: 'group-differs',
      numbers: { differences: [{ pointer: '/delivery', given: 'at-most-once', existing: 'at-least-once' }] },
      ask: () => join({ topics: [topic], delivery: 'at-most-once' }),
    },
    {
      what: 'other tags, and another assignor',
      status: 409,
      code: 'group-differs',
      ask: () => join({ topics: [topic], tags: ['vip'], assignor: 'range' }),
    },
    ...(
      [
        ['a session too short', { sessionMs: 1_000 }, '/sessionMs'],
        ['a session too long', { sessionMs: 300_001 }, '/sessionMs'],
        ['a poll time too short', { pollMs: 0 }, '/pollMs'],
        ['a rebalance time too long', { rebalanceMs: 3_600_001 }, '/rebalanceMs'],
        ['a session that is no number', { sessionMs: '45s' }, '/sessionMs'],
        ['half a millisecond', { pollMs: 10_000.5 }, '/pollMs'],
        ['no topics', { topics: [] }, '/topics'],
        ['more topics than may be', { topics: Array.from({ length: 65 }, (_, i) => `t${i}`) }, '/topics'],
        ['a topic that is no name', { topics: ['a/b'] }, '/topics'],
        ['an unknown assignor', { assignor: 'random' }, '/assignor'],
        ['an unknown field', { topic: 'orders' }, '/topic'],
        ['a place that is no name', { static: '..' }, '/static'],
        ['an empty tag', { tags: [''] }, '/tags/0'],
      ] as const
    ).map(([what, ask, pointer]): BadAsk => ({
      what,
      status: 422,
      code: 'invalid',
      numbers: { errors: [{ pointer }] },
      ask: () => join({ topics: [topic], ...ask }),
    })),
    { what: 'a member that is no name', status: 422, code: 'invalid', ask: () => join({ topics: [topic] }, 'a%20b') },
    {
      what: 'a join without a body',
      status: 400,
      code: 'malformed',
      ask: () => call(watched(), 'PUT', group.member('x')),
    },
    {
      what: 'a poll with a body',
      status: 400,
      code: 'malformed',
      ask: () => sendJson(watched(), 'POST', `${group.member('first')}/poll`, { commit: cursor }),
    },
    { what: 'a wait without its unit', status: 400, code: 'malformed', ask: () => poll('first', 'wait=5') },
    { what: 'a wait too long', status: 400, code: 'malformed', ask: () => poll('first', 'wait=61s') },
    { what: 'a limit of none', status: 400, code: 'malformed', ask: () => poll('first', 'limit=0') },
    {
      what: 'a misspelt parameter',
      status: 400,
      code: 'unknown-parameter',
      numbers: { nearest: 'commit' },
      ask: () => poll('first', `comit=${cursor}`),
    },
    { what: 'tags of a poll', status: 400, code: 'unknown-parameter', ask: () => poll('first', 'tags=a') },
    {
      what: 'a form nobody can give',
      status: 406,
      code: 'not-acceptable',
      ask: () => call(watched(), 'POST', `${group.member('first')}/poll`, { headers: { accept: 'text/html' } }),
    },
    {
      what: 'a plan where the broker divides',
      status: 409,
      code: 'not-leader-member',
      numbers: { leader: null },
      ask: () => group.putPlan({ member: 'first', epoch: 1, plan: [] }),
    },
    {
      what: 'a group that is not there',
      status: 404,
      code: 'unknown-group',
      ask: () => get(watched(), '/v1/groups/never'),
    },
    {
      what: 'a reset of a group that is not there',
      status: 404,
      code: 'unknown-group',
      ask: () => sendJson(watched(), 'POST', '/v1/groups/never/offsets/reset', { to: 'earliest' }),
    },
    { what: 'a reset to nowhere', status: 400, code: 'malformed', ask: () => group.reset({ to: 'noon' }) },
    { what: 'a reset to an offset of all', status: 422, code: 'invalid', ask: () => group.reset({ to: 3 }) },
    { what: 'a reset in seconds', status: 422, code: 'invalid', ask: () => group.reset({ to: '@1700000000' }) },
    {
      what: 'a reset of a partition of no topic',
      status: 422,
      code: 'invalid',
      ask: () => group.reset({ to: 3, partition: 0 }),
    },
    {
      what: 'a list with a limit too high',
      status: 400,
      code: 'malformed',
      ask: () => get(watched(), '/v1/groups?limit=1001'),
    },
  ]

  for (const { what, status, code, numbers, ask } of refusals) {
    test(`${what}: ${status} ${code}, and nothing is changed`, async () => {
      const [before, offsets] = [await group.describe(), await group.committed()]
      const answer = await ask()
      expectProblem(answer, status, code)
      expect(documentedFor(document, asked, status)).toContain(`\`${code}\``)
      if (numbers !== undefined) expect(answer.json).toMatchObject(numbers)
      expect(await group.describe()).toEqual(before)
      expect(await group.committed()).toEqual(offsets)
    })
  }

  describe('a plan', () => {
    let led: GroupCaller
    let epoch: number

    beforeAll(async () => {
      led = new GroupCaller(target, freshGroup())
      await led.join('leader', { topics: [topic], assignor: 'leader' })
      await led.join('led', { topics: [topic] })
      epoch = (await led.heartbeat('leader')).plan!.epoch
    })

    const all = (member: string): unknown[] => [{ member, partitions: [{ topic, partitions: [0, 1] }] }]

    test('of a member that is not leader, or of another epoch, is refused and leaves the group waiting', async () => {
      const before = await led.describe()
      const others = await led.putPlan({ member: 'led', epoch, plan: all('led') })
      expectProblem(others, 409, 'not-leader-member')
      expect(others.json).toMatchObject({ member: 'led', leader: 'leader' })
      expectProblem(await led.putPlan({ member: 'nobody', epoch, plan: all('led') }), 409, 'fenced')
      const late = await led.putPlan({ member: 'leader', epoch: epoch - 1, plan: all('led') })
      expectProblem(late, 409, 'stale-plan')
      expect(late.json).toMatchObject({ currentEpoch: epoch })
      expectProblem(await led.putPlan({ member: 'leader', epoch, plan: 'all' }), 422, 'invalid')
      expect(await led.describe()).toEqual(before)
      expect(before['state']).toBe('assigning')
    })

    test('that leaves out, doubles or invents a partition is refused, and the broker divides them', async () => {
      const faults: [unknown[], string][] = [
        [[{ member: 'led', partitions: [{ topic, partitions: [0] }] }], 'missing'],
        [[...all('led'), { member: 'leader', partitions: [{ topic, partitions: [1] }] }], 'doubled'],
        [[{ member: 'led', partitions: [{ topic, partitions: [0, 1, 2] }] }], 'unknown-partition'],
        [[...all('led'), { member: 'leader', partitions: [{ topic: other, partitions: [0] }] }], 'not-subscribed'],
        [all('nobody'), 'unknown-member'],
      ]
      for (const [plan, fault] of faults) {
        const fresh = new GroupCaller(target, freshGroup())
        const joined = await fresh.join('leader', { topics: [topic], assignor: 'leader' })
        await fresh.join('led', { topics: [topic] })
        const wanted = (await fresh.heartbeat('leader')).plan!.epoch
        expect(joined.leader).toBe('leader')
        const answer = await fresh.putPlan({ member: 'leader', epoch: wanted, plan })
        expectProblem(answer, 422, 'invalid-plan')
        expect(answer.json['fault']).toMatchObject({ kind: fault })
        for (const member of ['leader', 'led']) {
          const { assignment } = await fresh.heartbeat(member)
          expect(assignment).toMatchObject([{ topic, partitions: [expect.any(Number)] }])
        }
      }
    })
  })

  test('a group takes so many members and no more', async () => {
    const crowd = new GroupCaller(target, freshGroup())
    const ask = { topics: ['nowhere'] }
    for (let at = 0; at < MEMBERS_MAX; at += 100) {
      await Promise.all(Array.from({ length: 100 }, (_, i) => crowd.join(`m${at + i}`, ask)))
    }
    const one = await sendJson(target(), 'PUT', crowd.member('more'), ask)
    expectProblem(one, 422, 'limit-reached')
    expect(one.json).toMatchObject({ membersMax: MEMBERS_MAX })
    expect(((await crowd.describe())['members'] as unknown[]).length).toBe(MEMBERS_MAX)
    expectOk(await call(target(), 'PUT', crowd.member('m7'), { body: JSON.stringify(ask), headers: JSON_TYPE }))
  }, 30_000)

  test('a broker holds so many groups and no more', async () => {
    const { groups } = (await get(target(), '/v1/groups?limit=1000')).json as { groups: unknown[] }
    const left = GROUPS_MAX - groups.length
    const make = (i: number): Promise<Answer> =>
      sendJson(target(), 'PUT', `/v1/groups/many-${i}/offsets`, { offsets: [] })
    for (let at = 0; at < left; at += 100) {
      const made = await Promise.all(Array.from({ length: Math.min(100, left - at) }, (_, i) => make(at + i)))
      expect(made.map(({ status }) => status).filter((status) => status !== 200)).toEqual([])
    }
    const refused = await make(left)
    expectProblem(refused, 422, 'limit-reached')
    expect(refused.json).toMatchObject({ groupsMax: GROUPS_MAX })
    expectProblem(await sendJson(target(), 'PUT', '/v1/groups/more/members/m', { topics: ['t'] }), 422, 'limit-reached')
    // One that goes makes room.
    expectOk(await call(target(), 'DELETE', '/v1/groups/many-0'))
    expectOk(await make(left))
  }, 30_000)
})

/** What the document says of a status at an address. */
function documentedFor({ paths }: Documented, asked: { method: string; path: string }, status: number): string {
  const found = Object.entries(paths).filter(([path]) =>
    new RegExp(`^${path.replaceAll(/\{\w+\}/g, '[^/]+')}$`).test(asked.path),
  )
  const operation = found
    .map(([, operations]) => operations[asked.method.toLowerCase()])
    .find((one) => one !== undefined)
  return operation?.responses[status]?.description ?? `nothing of ${asked.method} ${asked.path}: ${status}`
}
