import { describe, expect, test } from 'bun:test'
import { Progress } from '../../../src/core/raft/progress.ts'

const window = { inflightMax: 3, inflightBytesMax: 1000 }

function replicating(match: number): Progress {
  const progress = new Progress(match + 1, 0, window)
  progress.acknowledged(match)
  progress.becomeReplicate()
  return progress
}

describe('progress of one follower', () => {
  test('probing sends one append and waits', () => {
    const progress = new Progress(5, 0, window)
    expect(progress.paused).toBe(false)
    progress.sent(6, 100)
    expect(progress.paused).toBe(true)
    expect(progress.next).toBe(5)
    progress.nudge()
    expect(progress.paused).toBe(false)
  })

  test('replicating goes ahead until the window is full', () => {
    const progress = replicating(4)
    for (const last of [5, 6, 7]) progress.sent(last, 10)
    expect([progress.next, progress.inflight, progress.paused]).toEqual([8, 3, true])
    expect(progress.acknowledged(6)).toBe(true)
    expect([progress.match, progress.inflight, progress.paused]).toEqual([6, 1, false])
  })

  test('the window also counts bytes', () => {
    const progress = replicating(4)
    progress.sent(5, 1000)
    expect(progress.paused).toBe(true)
  })

  test('a lost window does not silence the leader: an answer frees one append', () => {
    const progress = replicating(4)
    for (const last of [5, 6, 7]) progress.sent(last, 10)
    progress.nudge()
    expect(progress.inflight).toBe(2)
  })

  test('an empty append takes no room', () => {
    const progress = replicating(4)
    progress.sent(4, 0)
    expect([progress.inflight, progress.next]).toEqual([0, 5])
  })

  test('acknowledgements never take it back', () => {
    const progress = replicating(9)
    expect(progress.acknowledged(7)).toBe(false)
    expect([progress.match, progress.next]).toEqual([9, 10])
  })

  test('replicating and refused: back to probing behind what it has', () => {
    const progress = replicating(4)
    progress.sent(9, 10)
    expect(progress.refused(9, 8)).toBe(true)
    expect([progress.state, progress.next, progress.inflight]).toEqual(['probe', 5, 0])
  })

  test('an old refusal is no news', () => {
    const progress = replicating(4)
    expect(progress.refused(3, 1)).toBe(false)
    const probing = new Progress(9, 0, window)
    expect(probing.refused(5, 2)).toBe(false)
    expect(probing.next).toBe(9)
  })

  test('probing goes where the hint points, never below what is acknowledged', () => {
    const progress = new Progress(20, 0, window)
    progress.acknowledged(6)
    progress.becomeProbe(20)
    expect(progress.refused(19, 3)).toBe(true)
    expect(progress.next).toBe(7)
  })

  test('nothing is appended while a snapshot is under way', () => {
    const progress = replicating(4)
    progress.becomeSnapshot(30, 7)
    expect([progress.paused, progress.next, progress.snapshotAt]).toEqual([true, 31, 7])
    expect(progress.refused(4, 1)).toBe(false)
  })

  test('one that lost entries starts over', () => {
    const progress = replicating(40)
    progress.restart(12)
    expect([progress.state, progress.match, progress.next]).toEqual(['probe', 0, 12])
  })
})
