// The stories of a group, told line by line. `a@3 [0 1] -[2 3] +[4]` is member a at generation 3, which holds 0 and 1, has to
// drop 2 and 3, and waits for 4.

import { describe, expect, test } from 'bun:test'
import type { Assignor } from '../../../src/core/group/index.ts'
import { GroupRig } from './group-rig.ts'

function twoAndFour(assignor: Assignor = 'sticky'): GroupRig {
  const rig = new GroupRig()
  rig.topics.create('orders', 4)
  rig.tell('a joins', () => rig.join('a', { assignor }))
  rig.tell('b joins', () => rig.join('b'))
  rig.tell('a polls', () => rig.poll('a'))
  return rig
}

const A_JOINS_THEN_B = `
  0 s  a joins                       stable       a@1 [0 1 2 3]
  0 s  b joins                       reconciling  a@1 [0 1] -[2 3]   b@2 [] +[2 3]
  0 s  a polls                       stable       a@3 [0 1]   b@4 [2 3]`

describe('a third consumer joins', () => {
  test('sticky: the first it can be taken from gives one, b goes on untouched', () => {
    const rig = twoAndFour()
    rig.tell('c joins', () => rig.join('c'))
    rig.tell('b polls', () => rig.poll('b'))
    rig.tell('a polls', () => rig.poll('a'))
    expect(rig.story()).toBe(`${A_JOINS_THEN_B}
  0 s  c joins                       reconciling  a@3 [0] -[1]   b@4 [2 3]   c@5 [] +[1]
  0 s  b polls                       reconciling  a@3 [0] -[1]   b@4 [2 3]   c@5 [] +[1]
  0 s  a polls                       stable       a@6 [0]   b@4 [2 3]   c@7 [1]
`)
  })

  test('range: everybody gets a run in order', () => {
    const rig = twoAndFour('range')
    rig.tell('c joins', () => rig.join('c'))
    rig.tell('a polls', () => rig.poll('a'))
    rig.tell('b polls', () => rig.poll('b'))
    expect(rig.story()).toBe(`${A_JOINS_THEN_B}
  0 s  c joins                       reconciling  a@3 [0 1]   b@4 [2] -[3]   c@5 [] +[3]
  0 s  a polls                       reconciling  a@3 [0 1]   b@4 [2] -[3]   c@5 [] +[3]
  0 s  b polls                       stable       a@3 [0 1]   b@6 [2]   c@7 [3]
`)
  })

  test('it drops nothing in time: it is removed, and what it held is free', () => {
    const rig = twoAndFour()
    rig.tell('c joins', () => rig.join('c', { sessionMs: 100_000 }))
    for (const at of [20, 40, 59]) {
      rig.pass(at * 1_000 - rig.nowMs)
      for (const member of ['a', 'b', 'c']) rig.heartbeat(member)
    }
    rig.tell('all live, a drops nothing', () => {})
    rig.pass(1_000)
    rig.tell('a had 60 s', () => {})
    expect(rig.story()).toBe(`${A_JOINS_THEN_B}
  0 s  c joins                       reconciling  a@3 [0] -[1]   b@4 [2 3]   c@5 [] +[1]
 59 s  all live, a drops nothing     reconciling  a@3 [0] -[1]   b@4 [2 3]   c@5 [] +[1]
 60 s  a had 60 s                    stable       b@4 [2 3]   c@6 [0 1]
`)
  })
})

describe('one of two leaves', () => {
  for (const assignor of ['sticky', 'range'] as const) {
    test(`${assignor}: the other has all, at once`, () => {
      const rig = twoAndFour(assignor)
      rig.tell('a leaves', () => rig.leave('a'))
      expect(rig.story()).toBe(`${A_JOINS_THEN_B}
  0 s  a leaves                      stable       b@5 [0 1 2 3]
`)
    })
  }

  test('a static member leaves, and is back before its session ends', () => {
    const rig = new GroupRig()
    rig.topics.create('orders', 4)
    rig.tell('a1 joins as a', () => rig.join('a1', { static: 'a' }))
    rig.tell('b joins', () => rig.join('b'))
    rig.tell('a1 polls', () => rig.poll('a1'))
    rig.tell('a1 leaves', () => rig.leave('a1'))
    rig.pass(30_000)
    rig.tell('b polls', () => rig.poll('b'))
    rig.tell('a2 joins as a', () => rig.join('a2', { static: 'a' }))
    rig.tell('a3 joins as a', () => rig.join('a3', { static: 'a' }))
    rig.tell('a2 polls, and is refused', () => expect(rig.poll('a2').kind).toBe('unknown-member'))
    rig.tell('a3 leaves', () => rig.leave('a3'))
    rig.pass(40_000)
    rig.tell('b polls', () => rig.poll('b'))
    rig.pass(5_000)
    rig.tell('a3 stayed away for 45 s', () => {})
    expect(rig.story()).toBe(`
  0 s  a1 joins as a                 stable       a1@1 [0 1 2 3]
  0 s  b joins                       reconciling  a1@1 [0 1] -[2 3]   b@2 [] +[2 3]
  0 s  a1 polls                      stable       a1@3 [0 1]   b@4 [2 3]
  0 s  a1 leaves                     stable       a1@3 [0 1] away   b@4 [2 3]
 30 s  b polls                       stable       a1@3 [0 1] away   b@4 [2 3]
 30 s  a2 joins as a                 stable       a2@5 [0 1]   b@4 [2 3]
 30 s  a3 joins as a                 stable       a3@6 [0 1]   b@4 [2 3]
 30 s  a2 polls, and is refused      stable       a3@6 [0 1]   b@4 [2 3]
 30 s  a3 leaves                     stable       a3@6 [0 1] away   b@4 [2 3]
 70 s  b polls                       stable       a3@6 [0 1] away   b@4 [2 3]
 75 s  a3 stayed away for 45 s       stable       b@7 [0 1 2 3]
`)
  })
})

describe('one of two falls silent', () => {
  for (const assignor of ['sticky', 'range'] as const) {
    test(`${assignor}: when its session is over the other has all, and it learns so`, () => {
      const rig = twoAndFour(assignor)
      for (let i = 0; i < 4; i++) {
        rig.pass(10_000)
        rig.poll('b')
      }
      rig.tell('b polls, as it did all along', () => rig.poll('b'))
      rig.pass(5_000)
      rig.tell('a was silent for 45 s', () => {})
      rig.tell('a polls, and is refused', () => expect(rig.poll('a').kind).toBe('unknown-member'))
      rig.tell('a joins again', () => rig.join('a'))
      rig.tell('b polls', () => rig.poll('b'))
      const [back, kept] = assignor === 'sticky' ? ['2 3', '0 1'] : ['0 1', '2 3']
      expect(rig.story()).toBe(`${A_JOINS_THEN_B}
 40 s  b polls, as it did all along  stable       a@3 [0 1]   b@4 [2 3]
 45 s  a was silent for 45 s         stable       b@5 [0 1 2 3]
 45 s  a polls, and is refused       stable       b@5 [0 1 2 3]
 45 s  a joins again                 reconciling  a@6 [] +[${back}]   b@5 [${kept}] -[${back}]
 45 s  b polls                       stable       a@8 [${back}]   b@7 [${kept}]
`)
    })
  }

  test('it says that it lives but does not get on: the same, after pollMs', () => {
    const rig = twoAndFour()
    rig.join('a', { pollMs: 60_000 })
    for (let second = 10; second <= 60; second += 10) {
      rig.pass(10_000)
      rig.heartbeat('a')
      rig.poll('b')
    }
    rig.tell('a heartbeats for 60 s', () => {})
    expect(rig.story()).toBe(`${A_JOINS_THEN_B}
 60 s  a heartbeats for 60 s         stable       b@5 [0 1 2 3]
`)
  })
})

describe('a leader divides the work', () => {
  const plan = (rig: GroupRig, parts: Record<string, number[]>, member = 'a') =>
    rig.ask({
      kind: 'put-plan',
      group: 'g',
      member,
      epoch: rig.group().epoch,
      plan: Object.entries(parts).map(([of, partitions]) => ({
        member: of,
        partitions: [{ topic: 'orders', partitions }],
      })),
    })

  test('a third joins, one leaves, and the leader falls silent', () => {
    const rig = new GroupRig()
    rig.topics.create('orders', 4)
    rig.tell('a joins', () => rig.join('a', { assignor: 'leader' }))
    rig.tell('a plans', () => plan(rig, { a: [0, 1, 2, 3] }))
    rig.tell('b joins', () => rig.join('b'))
    rig.tell('a plans', () => plan(rig, { a: [0, 3], b: [1, 2] }))
    rig.tell('a polls', () => rig.poll('a'))
    rig.tell('c joins', () => rig.join('c'))
    rig.tell('a plans', () => plan(rig, { a: [3], b: [1, 2], c: [0] }))
    rig.tell('a polls', () => rig.poll('a'))
    rig.tell('c leaves', () => rig.leave('c'))
    rig.tell('a gives b all that was c', () => plan(rig, { a: [3], b: [0, 1, 2] }))
    rig.pass(40_000)
    rig.poll('b')
    rig.pass(5_000)
    rig.tell('a was silent for 45 s', () => {})
    rig.tell('b is leader, and plans', () => plan(rig, { b: [0, 1, 2, 3] }, 'b'))
    expect(rig.story()).toBe(`
  0 s  a joins                       assigning    a@1 []
  0 s  a plans                       stable       a@2 [0 1 2 3]
  0 s  b joins                       assigning    a@2 [0 1 2 3]   b@3 []
  0 s  a plans                       reconciling  a@2 [0 3] -[1 2]   b@3 [] +[1 2]
  0 s  a polls                       stable       a@4 [0 3]   b@5 [1 2]
  0 s  c joins                       assigning    a@4 [0 3]   b@5 [1 2]   c@6 []
  0 s  a plans                       reconciling  a@4 [3] -[0]   b@5 [1 2]   c@6 [] +[0]
  0 s  a polls                       stable       a@7 [3]   b@5 [1 2]   c@8 [0]
  0 s  c leaves                      assigning    a@7 [3]   b@5 [1 2]
  0 s  a gives b all that was c      stable       a@7 [3]   b@9 [0 1 2]
 45 s  a was silent for 45 s         assigning    b@9 [0 1 2]
 45 s  b is leader, and plans        stable       b@10 [0 1 2 3]
`)
  })

  test('no plan in time, or a bad one: sticky does it', () => {
    const rig = new GroupRig()
    rig.topics.create('orders', 4)
    rig.tell('a joins', () => rig.join('a', { assignor: 'leader', sessionMs: 100_000 }))
    rig.pass(60_000)
    rig.tell('a had 60 s', () => {})
    rig.tell('b joins', () => rig.join('b'))
    rig.tell('a forgets partition 3', () => expect(plan(rig, { a: [0, 1], b: [2] }).kind).toBe('invalid-plan'))
    rig.tell('a polls', () => rig.poll('a'))
    expect(rig.story()).toBe(`
  0 s  a joins                       assigning    a@1 []
 60 s  a had 60 s                    stable       a@2 [0 1 2 3]
 60 s  b joins                       assigning    a@2 [0 1 2 3]   b@3 []
 60 s  a forgets partition 3         reconciling  a@2 [0 1] -[2 3]   b@3 [] +[2 3]
 60 s  a polls                       stable       a@4 [0 1]   b@5 [2 3]
`)
  })
})
