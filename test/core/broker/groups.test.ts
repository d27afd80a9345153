// Consumer groups on a whole broker: joining, polling, committing, and what becomes of them over restarts.

import { describe, expect, test } from 'bun:test'
import { GroupRig, heldIn } from './group-rig.ts'

function rigWith(partitions: number): GroupRig {
  const rig = new GroupRig().start() as GroupRig
  rig.create('orders', partitions)
  for (let partition = 0; partition < partitions; partition++) {
    rig.produce('orders', [`${partition}a`, `${partition}b`], { partition })
  }
  return rig
}

describe('one member', () => {
  test('joins, reads from the earliest, and goes on behind what it committed', () => {
    const rig = rigWith(2)
    expect(heldIn(rig, rig.joined('g', 'm', ['orders']))).toBe('orders 0,1')
    const first = rig.poll('g', 'm')
    expect(first.read).toEqual({ 0: ['0a', '0b'], 1: ['1a', '1b'] })
    expect(rig.poll('g', 'm').read).toEqual(first.read)
    expect(rig.poll('g', 'm', first.behind).read).toEqual({})
    rig.produce('orders', ['0c'], { partition: 0 })
    expect(rig.poll('g', 'm').read).toEqual({ 0: ['0c'] })
  })
})
