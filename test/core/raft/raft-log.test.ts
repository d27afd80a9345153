import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { type Entry, lastIndexOf, type RaftStorage, replicaIdOf } from '../../../src/core/raft/index.ts'
import { RaftLog } from '../../../src/core/raft/raft-log.ts'
import { LogImage } from '../../sim/raft/log-image.ts'

const noop = (index: number, term: number, count = 1): Entry => ({ index, count, term, body: { kind: 'noop' } })

/** Entries from index 1 with these terms; `[term, count]` for longer ones. */
function entriesOf(...terms: (number | readonly [number, number])[]): Entry[] {
  let index = 1
  return terms.map((it) => {
    const [term, count] = typeof it === 'number' ? [it, 1] : it
    const entry = noop(index, term, count)
    index += count
    return entry
  })
}

function logOver(image: LogImage): RaftLog {
  const storage: RaftStorage = {
    vote: () => ({ term: 9, votedFor: null }),
    snapshot: () => image.snapshot?.head ?? null,
    firstIndex: () => image.firstIndex,
    lastIndex: () => image.lastIndex,
    term: (index) => image.term(index),
    memberships: () => image.memberships(),
    startOf: (index) => image.startOf(index),
    entries: (from, upTo, bytesMax) => image.entries(from, upTo, bytesMax),
  }
  return new RaftLog(storage)
}

function storedLog(...terms: (number | readonly [number, number])[]): RaftLog {
  const image = new LogImage()
  image.append(entriesOf(...terms))
  return logOver(image)
}

/** Hands out what is to be written, and stores it in `image`. */
function store(log: RaftLog, image: LogImage): void {
  for (const write of log.takeWrites()) {
    image.apply(write, (head) => ({ head, chain: 0 }))
    log.stored(write.seq)
  }
}

describe('raft log', () => {
  test('an empty log begins at 1, behind the beginning all share', () => {
    const log = logOver(new LogImage())
    expect([log.firstIndex, log.lastIndex, log.lastTerm, log.term(0), log.term(1)]).toEqual([1, 0, 0, 0, null])
    expect(log.isUpToDate(0, 0)).toBe(true)
  })

  test('better logs: the term first, then the length', () => {
    const log = storedLog(1, 2, 2)
    expect([log.isUpToDate(2, 3), log.isUpToDate(3, 2), log.isUpToDate(2, 2), log.isUpToDate(9, 1)]).toEqual([
      true,
      true,
      false,
      false,
    ])
  })

  test('taking in appends: keeps what agrees, cuts what does not, appends the rest', () => {
    const log = storedLog(1, 1, 2)
    expect(log.reconcile(4, 2, [])).toBeNull()
    expect(log.reconcile(3, 3, [])).toBeNull()
    expect(log.reconcile(3, 2, [])).toBe(3)
    expect(log.reconcile(1, 1, [noop(2, 1), noop(3, 2)])).toBe(3)
    expect(log.takeWrites()).toEqual([])
    expect(log.reconcile(1, 1, [noop(2, 1)])).toBe(2)
    expect(log.lastIndex).toBe(3)
    expect(log.reconcile(2, 1, [noop(3, 3), noop(4, 3)])).toBe(4)
    expect([log.lastIndex, log.term(3), log.durable]).toEqual([4, 3, 2])
    expect(log.takeWrites()).toEqual([{ kind: 'append', seq: 1, entries: [noop(3, 3), noop(4, 3)] }])
  })

  test('a committed entry is never cut off', () => {
    const log = storedLog(1, 1, 2)
    log.commitTo(3)
    expect(() => log.reconcile(2, 1, [noop(3, 3)])).toThrow('committed entry')
  })

  test('entries of several indices stay whole', () => {
    const log = storedLog(1, [2, 3], [2, 2])
    expect([log.term(3), log.startOf(4), log.startOf(5), log.lastIndex]).toEqual([2, 2, 5, 6])
    expect(log.entries(2, 4, 1)).toEqual([noop(2, 2, 3)])
    expect(log.entries(2, 6, 1e6)).toEqual([noop(2, 2, 3), noop(5, 2, 2)])
  })

  test('where two logs can agree at the latest', () => {
    const log = storedLog(1, 1, 3, 3, [5, 2])
    const floor = (index: number, term: number) => log.floorByTerm(index, term)
    expect([floor(6, 5), floor(6, 4), floor(6, 2), floor(3, 9), floor(99, 3), floor(6, 0)]).toEqual([6, 4, 2, 3, 4, 0])
  })

  test('durable only when stored, and what is stored is read from storage', () => {
    const image = new LogImage()
    const log = logOver(image)
    log.append(entriesOf(1, 1))
    expect([log.durable, log.takeCommitted(0, 1e6)]).toEqual([0, []])
    const [write] = log.takeWrites()
    log.append([noop(3, 1)])
    log.commitTo(3)
    expect(log.takeCommitted(log.commit, 1e6)).toEqual([])
    image.apply(write!, (head) => ({ head, chain: 0 }))
    log.stored(write!.seq)
    expect(log.durable).toBe(2)
    expect(log.entries(1, 3, 1e6)).toEqual([noop(1, 1), noop(2, 1), noop(3, 1)])
    expect(log.takeCommitted(log.commit, 1e6)).toEqual(entriesOf(1, 1))
    expect(log.takeCommitted(log.commit, 1e6)).toEqual([])
    log.appliedTo(2)
    store(log, image)
    expect(log.takeCommitted(log.commit, 1e6)).toEqual([noop(3, 1)])
  })

  test('the same entry, written, overwritten and written again: only the last write makes it durable', () => {
    const image = new LogImage()
    const log = logOver(image)
    log.append([noop(1, 1)])
    store(log, image)
    log.reconcile(1, 1, [noop(2, 2)])
    const [first] = log.takeWrites()
    log.reconcile(1, 1, [noop(2, 3)])
    const [second] = log.takeWrites()
    log.reconcile(1, 1, [noop(2, 4)])
    log.reconcile(1, 1, [noop(2, 5)])
    const [third] = log.takeWrites()
    log.stored(first!.seq)
    expect(log.durable).toBe(1)
    log.stored(second!.seq)
    expect(log.durable).toBe(1)
    log.stored(third!.seq)
    expect(log.durable).toBe(2)
  })

  test('a snapshot replaces everything, and writes from before it count for nothing', () => {
    const image = new LogImage()
    const log = logOver(image)
    log.append(entriesOf(1, 1, 1))
    const [before] = log.takeWrites()
    const head = { index: 10, term: 4, voters: [replicaIdOf(1, 'a')] }
    log.restore(head)
    log.append([noop(11, 4)])
    expect([log.firstIndex, log.lastIndex, log.commit, log.durable, log.term(10), log.term(3)]).toEqual([
      11,
      11,
      10,
      0,
      4,
      null,
    ])
    expect(log.members.current).toEqual({ index: 10, voters: head.voters })
    log.stored(before!.seq)
    expect(log.durable).toBe(0)
    const writes = log.takeWrites()
    expect(writes.map(({ kind }) => kind)).toEqual(['install', 'append'])
    expect(log.takeRestore()).toBeNull()
    for (const write of writes) image.apply(write, () => ({ head, chain: 0 }))
    log.stored(writes[0]!.seq)
    expect([log.durable, log.takeRestore()]).toEqual([10, head])
    log.appliedTo(10)
    log.stored(writes[1]!.seq)
    log.commitTo(11)
    expect(log.takeCommitted(11, 1e6)).toEqual([noop(11, 4)])
  })

  test('memberships are found again on start', () => {
    const image = new LogImage()
    const voters = [replicaIdOf(1, 'a'), replicaIdOf(2, 'a')]
    image.append([noop(1, 1), { index: 2, count: 1, term: 1, body: { kind: 'voters', voters } }, noop(3, 1)])
    expect(logOver(image).members.current).toEqual({ index: 2, voters })
  })

  test('under any sequence of leaders and stored writes it ends as an array would, and never calls more durable than is', () => {
    const command = fc.record({
      keep: fc.nat({ max: 6 }),
      counts: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 3 }),
      store: fc.nat({ max: 3 }),
    })
    fc.assert(
      fc.property(fc.array(command, { maxLength: 20 }), (commands) => {
        const image = new LogImage()
        const log = logOver(image)
        let model: Entry[] = []
        const pending: ReturnType<RaftLog['takeWrites']> = []
        commands.forEach(({ keep, counts, store: stored }, round) => {
          model = model.slice(0, Math.max(0, model.length - keep))
          const prev = model.at(-1)
          const prevIndex = prev === undefined ? 0 : lastIndexOf(prev)
          const added: Entry[] = []
          for (const count of counts) {
            const before = added.at(-1)
            added.push(noop(before === undefined ? prevIndex + 1 : lastIndexOf(before) + 1, round + 1, count))
          }
          model.push(...added)
          expect(log.reconcile(prevIndex, prev?.term ?? 0, added)).toBe(lastIndexOf(model.at(-1)!))
          pending.push(...log.takeWrites())
          for (const write of pending.splice(0, stored)) {
            image.apply(write, (head) => ({ head, chain: 0 }))
            log.stored(write.seq)
          }
          expect(log.entries(1, log.lastIndex, 1e9)).toEqual(model)
          for (let index = 1; index <= log.durable; index++) expect(image.term(index)).toBe(log.term(index))
        })
      }),
    )
  })
})
