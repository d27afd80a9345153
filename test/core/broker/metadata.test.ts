// What the broker knows of topics and producers: kept over restarts, snapshots, full disks and damage, and followed by the
// replicas before it is told.

import { describe, expect, test } from 'bun:test'
import { StartRefused } from '../../../src/core/broker/index.ts'
import { GroupCommit, Log } from '../../../src/core/log/index.ts'
import { controlBatch } from '../../../src/core/raft/index.ts'
import { hostCodec } from '../../../src/edge/host/index.ts'
import { allLost } from '../../sim/disk.ts'
import { add, BrokerRig } from './broker-rig.ts'

const SNAPSHOTS_OFTEN = { metadataSnapshotBytes: 300 }
/** Without the epochs, which each start raises. */
const topicsOf = (rig: BrokerRig) =>
  [...rig.broker.image.topics()].map((topic) => ({
    ...topic,
    partitions: topic.partitions.map((partition) => ({ ...partition, leaderEpoch: 0, partitionEpoch: 0 })),
  }))
const names = (count: number) => Array.from({ length: count }, (_, i) => `t${String(i).padStart(3, '0')}`)
const metadataFiles = (rig: BrokerRig, suffix: string) =>
  rig.disk.list('metadata').filter((name) => name.endsWith(suffix))

/** A log that begins at 0, as a broker once kept its metadata. */
async function anEarlierLog({ disk }: BrokerRig): Promise<void> {
  const none = { info: () => {}, warn: () => {}, error: () => {} }
  const meter = { counter: () => ({ add: () => {} }), gauge: () => {}, histogram: () => ({ observe: () => {} }) }
  const { clock } = disk
  const commits = new GroupCommit(disk, clock, meter, () => {})
  const config = { segmentBytes: 1 << 20, segmentMs: 1e9, retentionMs: -1, retentionBytes: -1, flush: 'group' } as const
  const log = await Log.open(
    'metadata',
    { ...config, cleanup: 'delete', deleteRetentionMs: 0 },
    { disk, codec: hostCodec, clock, events: none, commits },
    { onDurable: () => {}, onRefused: () => {} },
  )
  log.append(controlBatch({ kind: 'noop' }, 0, 1, hostCodec))
  await log.close()
}

/** How a start is refused. */
function refusedStart(rig: BrokerRig): string {
  rig.disk = rig.disk.kill()
  try {
    rig.start()
  } catch (error) {
    if (error instanceof StartRefused) return error.message
    throw error
  }
  return 'started'
}

describe('a change', () => {
  test('is answered when the partitions are there to be used', () => {
    const rig = new BrokerRig().start().create('t', 3)
    expect(rig.broker.status).toMatchObject({ topics: 1, partitions: 3 })
    rig.submit({ kind: 'add-partitions', name: 't', count: 5 })
    expect(rig.produce('t', ['a'], { partition: 4 })).toMatchObject({ count: 1 })
    rig.submit({ kind: 'alter-topic', name: 't', config: { recordBytesMax: 1 } })
    expect(rig.produce('t', ['aa']).refusal).toMatchObject({ kind: 'record-too-large' })
  })

  test.each([{}, SNAPSHOTS_OFTEN])('is there after a restart, a kill and a power loss: %p', (options) => {
    const rig = new BrokerRig(options).start()
    for (const name of names(20)) rig.create(name, 2)
    for (const name of names(20).slice(0, 5)) rig.submit({ kind: 'delete-topic', name })
    rig.submit({ kind: 'alter-topic', name: 't007', config: { retentionMs: 5_000 } })
    rig.submit({ kind: 'add-partitions', name: 't008', count: 4 })
    const { image } = rig.broker
    const picture = topicsOf(rig)
    for (const again of [() => rig.restart(), () => rig.crash(), () => rig.crash(allLost)]) {
      again()
      expect(topicsOf(rig)).toEqual(picture)
      expect([...rig.broker.image.deletions()]).toEqual([...image.deletions()])
      expect(rig.broker.status.partitions).toBe(15 * 2 + 2)
    }
  })

  test('many at once are each answered', () => {
    const rig = new BrokerRig(SNAPSHOTS_OFTEN).start()
    const replies = rig.run(
      Promise.all(names(60).map((name) => rig.broker.submit({ kind: 'create-topic', name, partitions: 1 }))),
    )
    expect(replies.map(({ kind }) => kind)).toEqual(names(60).map(() => 'created'))
    expect(rig.restart().broker.image.names).toEqual(names(60))
  })

  test('after a stop is refused, those under way are answered', () => {
    const rig = new BrokerRig().start()
    const underWay = rig.broker.submit({ kind: 'create-topic', name: 't', partitions: 4 })
    rig.broker.stopTakingWork()
    const after = rig.broker.submit({ kind: 'create-topic', name: 'u' })
    const closed = rig.broker.close()
    expect(rig.run(after)).toEqual({ kind: 'closing' })
    expect(rig.run(underWay).kind).toBe('created')
    rig.run(closed)
    rig.disk = rig.disk.kill()
    expect(rig.start().broker.image.names).toEqual(['t'])
  })
})

describe('snapshots', () => {
  test('two are kept, and the log before them goes', () => {
    const rig = new BrokerRig(SNAPSHOTS_OFTEN).start()
    for (const name of names(40)) rig.create(name)
    rig.pass(100)
    expect(metadataFiles(rig, '.snapshot')).toHaveLength(2)
    rig.restart()
    expect(rig.broker.image.names).toEqual(names(40))
    expect(metadataFiles(rig, '.log').length).toBeLessThanOrEqual(2)
  })

  test('one under way when the broker closes is finished first', () => {
    for (let afterMs = 0; afterMs < 2; afterMs += 0.1) {
      const rig = new BrokerRig(SNAPSHOTS_OFTEN).start()
      for (const name of names(4)) void rig.broker.submit({ kind: 'create-topic', name })
      rig.pass(afterMs)
      rig.run(rig.broker.close())
      const before = rig.disk.calls
      rig.pass(1_000)
      expect(rig.disk.calls).toBe(before)
    }
  })

  test('without the newest the one before it is taken, and the log since', () => {
    const rig = new BrokerRig(SNAPSHOTS_OFTEN).start()
    for (const name of names(40)) rig.create(name)
    rig.run(rig.broker.close())
    const newest = metadataFiles(rig, '.snapshot').at(-1)!
    rig.disk.flip(`metadata/${newest}`, 40, 1)
    rig.disk = rig.disk.kill()
    expect(rig.start().broker.image.names).toEqual(names(40))
    expect(rig.complaints).toContain('snapshot-damaged')
    for (const name of names(60).slice(40)) rig.create(name)
    rig.pass(100)
    expect(metadataFiles(rig, '.snapshot')).toHaveLength(2)
    expect(rig.restart().broker.image.names).toEqual(names(60))
  })

  test('without any there is no start, since the log they stand for is gone', () => {
    const rig = new BrokerRig(SNAPSHOTS_OFTEN).start()
    for (const name of names(40)) rig.create(name)
    rig.run(rig.broker.close())
    for (const name of metadataFiles(rig, '.snapshot')) rig.disk.flip(`metadata/${name}`, 40, 1)
    expect(refusedStart(rig)).toMatch(
      /no snapshot .* can be read, and the log it stands for is gone; restore .* rejoin/,
    )
  })

  test('a damaged log is refused, not read past', () => {
    const rig = new BrokerRig().start()
    for (const name of names(10)) rig.create(name)
    rig.run(rig.broker.close())
    const [log] = metadataFiles(rig, '.log')
    rig.disk.flip(`metadata/${log}`, 700, 3)
    expect(refusedStart(rig)).toMatch(/cannot be read at offset \d+/)
  })
})

describe('a vote', () => {
  const VOTE = 'metadata/vote'
  function lived(): BrokerRig {
    const rig = new BrokerRig().start()
    for (const name of names(3)) rig.create(name)
    rig.run(rig.broker.close())
    return rig
  }

  test.each([0, 4096])('of which one copy rots, at %i, is restored from the other', (at) => {
    const rig = lived()
    rig.disk.flip(VOTE, at + 9, 1)
    rig.disk = rig.disk.kill()
    expect(rig.start().broker.image.names).toEqual(names(3))
    expect(rig.complaints).toContain('vote-copy-restored')
    rig.complaints.length = 0
    rig.restart()
    expect(rig.complaints).toEqual([])
  })

  test('that cannot be read, in neither copy, is never cast again', () => {
    const rig = lived()
    for (const at of [9, 4096 + 9]) rig.disk.flip(VOTE, at, 1)
    expect(refusedStart(rig)).toMatch(/the vote in metadata cannot be read, .*naru rejoin --as-new/)
  })

  test('of an earlier build there is none: its folder is refused', () => {
    const rig = new BrokerRig().start()
    rig.run(rig.broker.close())
    for (const name of rig.disk.list('metadata')) rig.disk.remove(`metadata/${name}`)
    rig.disk = rig.disk.kill()
    rig.run(anEarlierLog(rig))
    expect(refusedStart(rig)).toMatch(
      /written by a build from before there was a quorum: begin with an empty data folder/,
    )
  })

  test('that is missing is never cast again', () => {
    const rig = lived()
    rig.disk.remove(VOTE)
    expect(refusedStart(rig)).toMatch(/the vote in metadata is missing; .*naru rejoin --as-new/)
  })
})

describe('a full disk', () => {
  test('refuses new topics and partitions; what is there is still found, read, altered and deleted', () => {
    const rig = new BrokerRig().start().create('t').create('u')
    rig.produce('t', ['a'])
    rig.produce('u', ['x'.repeat(100_000)])
    rig.fill()
    rig.disk.totalBytes += 2_000
    rig.pass(1_500)
    expect(rig.broker.status.diskLow).toBe(true)
    expect(rig.submit({ kind: 'create-topic', name: 'v' })).toBe('no-space')
    expect(rig.submit({ kind: 'add-partitions', name: 't', count: 3 })).toBe('no-space')
    expect(rig.submit({ kind: 'create-topic', name: 't' })).toBe('exists')
    expect(rig.submit({ kind: 'alter-topic', name: 't', config: { retentionMs: 9_000 } })).toBe('altered')
    expect(rig.tryOpen('new')).toMatchObject({ kind: 'disk-low' })
    expect(rig.produce('t', ['b']).refusal).toMatchObject({ kind: 'disk-low' })
    expect(rig.values('t')).toEqual(['a'])
    expect(rig.submit({ kind: 'delete-topic', name: 'u' })).toBe('deleted')
    rig.makeRoom()
    expect(rig.produce('t', ['b']).refusal).toBeNull()
    expect(rig.submit({ kind: 'create-topic', name: 'v' })).toBe('created')
    expect(rig.halts).toEqual([])
  })

  test('with no byte left a change is refused, and the picture stays', () => {
    const rig = new BrokerRig().start().create('t')
    rig.fill()
    expect(rig.submit({ kind: 'alter-topic', name: 't', config: { retentionMs: 9_000 } })).toBe('no-space')
    expect(rig.broker.image.topicNamed('t')!.config).toEqual({})
    rig.makeRoom()
    expect(rig.submit({ kind: 'alter-topic', name: 't', config: { retentionMs: 9_000 } })).toBe('altered')
    expect(rig.crash().broker.image.topicNamed('t')!.config).toEqual({ retentionMs: 9_000 })
    expect(rig.halts).toEqual([])
  })

  test('a stream is refused with what was kept before', () => {
    const rig = new BrokerRig().start().create('t')
    const session = rig.open('t', { streaming: true })
    add(session, ['a', 'b'])
    session.flush()
    rig.run(session.drained())
    rig.fill()
    rig.pass(1_500)
    add(session, ['c'])
    session.flush()
    add(session, ['d'])
    const outcome = rig.run(session.finish())
    expect(outcome).toMatchObject({ count: 2, firstUnaccepted: 2, refusal: { kind: 'disk-low' } })
    expect(rig.values('t')).toEqual(['a', 'b'])
  })

  test('partitions there is no room for are opened once there is', () => {
    const rig = new BrokerRig().start().create('t')
    rig.produce('t', ['a'])
    // Room for the decision, not for the files it asks for: the disk is not known to be low yet.
    rig.fill()
    rig.disk.totalBytes += 1_200
    expect(rig.submit({ kind: 'create-topic', name: 'u', partitions: 8 })).toBe('created')
    expect(rig.broker.routeOf('u')).toEqual({ kind: 'loading' })
    expect(rig.tryOpen('u')).toEqual({ kind: 'loading' })
    rig.restart()
    expect(rig.values('t')).toEqual(['a'])
    rig.makeRoom()
    expect(rig.partitionsOf('u')).toBe(8)
    expect(rig.produce('u', ['b'])).toMatchObject({ count: 1, refusal: null })
    expect(rig.halts).toEqual([])
    expect(rig.complaints).toContain('topic-not-opened')
  })

  test('partitions that were made, and hold nothing yet, open without room', () => {
    const rig = new BrokerRig().start().create('t', 5)
    rig.disk = rig.disk.powerLoss(allLost)
    rig.fill()
    rig.disk.totalBytes += 600
    rig.start()
    expect(rig.partitionsOf('t')).toBe(5)
    expect(rig.complaints).not.toContain('topic-not-opened')
  })

  test('a topic that could not be opened can be deleted', () => {
    const rig = new BrokerRig().start()
    rig.fill()
    rig.disk.totalBytes += 600
    expect(rig.submit({ kind: 'create-topic', name: 'u', partitions: 8 })).toBe('created')
    expect(rig.submit({ kind: 'delete-topic', name: 'u' })).toBe('deleted')
    rig.makeRoom()
    expect(rig.disk.list('topics')).toEqual([])
    expect(rig.broker.status).toMatchObject({ topics: 0, partitions: 0 })
  })
})

describe('producer ids', () => {
  test('are never given twice, at once or over restarts and crashes', () => {
    const rig = new BrokerRig().start()
    const given: number[] = []
    for (const again of [() => rig.restart(), () => rig.crash(allLost), () => rig.crash()]) {
      const replies = rig.run(Promise.all(Array.from({ length: 1_500 }, () => rig.broker.newProducer())))
      for (const reply of replies) given.push('producerId' in reply ? reply.producerId : -1)
      again()
    }
    expect(new Set(given).size).toBe(4_500)
    expect(Math.min(...given)).toBeGreaterThan(0)
  })

  test('are refused when none can be taken', () => {
    const rig = new BrokerRig().start()
    rig.fill()
    expect(rig.run(rig.broker.newProducer())).toEqual({ kind: 'no-space' })
    rig.makeRoom()
    expect(rig.run(rig.broker.newProducer())).toMatchObject({ producerEpoch: 0 })
    rig.broker.stopTakingWork()
    expect(rig.run(rig.broker.newProducer())).toEqual({ kind: 'closing' })
  })
})

test('every start takes a later leader epoch', () => {
  const rig = new BrokerRig(SNAPSHOTS_OFTEN).start()
  const epochs = [rig.broker.status.leaderEpoch]
  for (const name of names(12)) {
    rig.create(name)
    epochs.push(rig.crash(allLost).broker.status.leaderEpoch)
  }
  expect(new Set(epochs).size).toBe(epochs.length)
  expect(epochs).toEqual([...epochs].sort((a, b) => a - b))
})

describe('housekeeping', () => {
  test('goes round all partitions, and removes what retention no longer keeps', () => {
    const config = { retentionMs: 60_000, segmentMs: 5_000 }
    const rig = new BrokerRig().start().create('t', 7, config)
    for (let partition = 0; partition < 7; partition++) rig.produce('t', ['old'], { partition })
    rig.pass(30_000)
    expect(rig.values('t')).toHaveLength(7)
    rig.pass(60_000)
    expect(rig.values('t')).toEqual([])
    expect(rig.produce('t', ['new'], { partition: 3 }).partitions).toMatchObject([{ baseOffset: 1 }])
  })

  test('frees what a full disk needs', () => {
    const rig = new BrokerRig().start().create('t', 1, { segmentBytes: 65_536, retentionMs: 60_000, segmentMs: 5_000 })
    for (let i = 0; i < 20; i++) rig.produce('t', ['x'.repeat(20_000)])
    rig.fill()
    rig.pass(1_500)
    expect(rig.produce('t', ['a']).refusal).toMatchObject({ kind: 'disk-low' })
    rig.pass(90_000)
    expect(rig.halts).toEqual([])
    expect(rig.produce('t', ['a']).refusal).toBeNull()
  })
})
