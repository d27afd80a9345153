// Given courses of events instead of drawn ones, each in many worlds that differ in timing, size and limits: what KRaft's
// event simulation asks for. The invariants watch here too.

import { describe, expect, test } from 'bun:test'
import { demandLife } from './run.ts'
import { SimCluster } from './sim-cluster.ts'
import type { SimReplica } from './sim-replica.ts'
import { drawSwarm, type Swarm } from './swarm.ts'

const WORLDS = 40

/** Drawn, but with nothing that goes wrong by itself. */
function calm(seed: number, voters: number): Swarm {
  const drawn = drawSwarm(seed)
  const election = drawn.options.electionTicks * drawn.tickMs
  return {
    ...drawn,
    voters,
    observers: 1,
    nodes: Math.max(voters + 1, 5),
    faults: new Map(),
    network: { ...drawn.network, loss: 0, repeat: 0, capacity: 1000, delayMsMean: 0.01 * election },
    syncMsMean: 0.01 * election,
  }
}

class Course {
  readonly cluster: SimCluster
  readonly #election: number

  constructor(seed: number, voters: number) {
    const swarm = calm(seed, voters)
    this.#election = swarm.options.electionTicks * swarm.tickMs
    this.cluster = new SimCluster(swarm, null)
  }

  get leader(): SimReplica {
    const leader = this.cluster.leaders.find(({ raft }) => raft!.established)
    if (leader === undefined) throw new Error('nobody leads')
    return leader
  }

  get followers(): SimReplica[] {
    const leader = this.leader
    return [...this.cluster.replicas.values()].filter((it) => it !== leader && leader.raft!.voters.includes(it.id))
  }

  /** Lets so many election timeouts pass. */
  pass(elections: number): this {
    this.cluster.world.runUntil(this.cluster.world.now + elections * this.#election)
    return this
  }

  /** Until `done`, within twenty election timeouts. */
  until(what: string, done: () => boolean): this {
    const { world } = this.cluster
    if (!done() && !world.runUntil(world.now + 20 * this.#election, done)) throw new Error(`no ${what}`)
    return this
  }

  elected(): this {
    return this.until('leader', () => this.cluster.leaders.some(({ raft }) => raft!.established))
  }

  write(replica = this.leader): number {
    let outcome: string | null = null
    expect(replica.propose(new Uint8Array(8), 1, (it) => (outcome = it))).toBe('proposed')
    this.until('commit', () => outcome !== null)
    expect(outcome as string | null).toBe('committed')
    return replica.appliedIndex
  }

  cutOff(...nodes: number[]): void {
    for (const a of this.cluster.replicas.keys())
      for (const b of this.cluster.replicas.keys())
        if (nodes.includes(a) !== nodes.includes(b)) this.cluster.network.cut(a, b)
  }

  everybodyAgrees(): void {
    this.cluster.network.healAll()
    demandLife(this.cluster)
  }
}

function inWorlds(voters: number, act: (course: Course) => void): () => void {
  return () => {
    for (let seed = 1; seed <= WORLDS; seed++) {
      const course = new Course(seed, voters)
      act(course)
      course.everybodyAgrees()
    }
  }
}

describe('courses of events', () => {
  for (const voters of [1, 2, 3, 5])
    test(
      `${voters} voters elect their first leader`,
      inWorlds(voters, (course) => void course.elected().write()),
    )

  test(
    'the leader fails',
    inWorlds(3, (course) => {
      const old = course.elected().leader
      const index = course.write()
      old.kill()
      course.elected()
      expect(course.leader.appliedIndex).toBeGreaterThanOrEqual(index)
      course.write()
      old.start()
    }),
  )

  test(
    'everybody loses power and starts again',
    inWorlds(5, (course) => {
      const index = course.elected().write()
      for (const replica of course.cluster.replicas.values()) replica.losePower()
      for (const replica of course.cluster.replicas.values()) replica.start()
      course.elected()
      expect(course.leader.appliedIndex).toBeGreaterThan(index)
    }),
  )

  test(
    'the leader is cut off: the others go on, it steps down, and what it took meanwhile is not acknowledged',
    inWorlds(3, (course) => {
      const old = course.elected().leader
      course.write()
      course.cutOff(old.node)
      let outcome: string | null = null
      old.propose(new Uint8Array(8), 1, (it) => (outcome = it))
      course.until('other leader', () => course.cluster.leaders.some((it) => it !== old && it.raft!.established))
      course.until('step down', () => old.raft!.role !== 'leader')
      expect(outcome as string | null).toBe('unknown')
      course.write()
    }),
  )

  test(
    'a minority is cut off: nothing happens',
    inWorlds(5, (course) => {
      const { leader, followers } = course.elected()
      const { term } = leader.raft!
      course.cutOff(followers[0]!.node, followers[1]!.node)
      course.pass(10)
      course.write()
      expect([course.leader, course.leader.raft!.term]).toEqual([leader, term])
      course.cluster.network.healAll()
      course.pass(10)
      expect([course.leader, course.leader.raft!.term]).toEqual([leader, term])
    }),
  )

  test(
    'leaders fail one after another, each before the last is back',
    inWorlds(5, (course) => {
      const first = course.elected().leader
      course.write()
      first.kill()
      const second = course.elected().leader
      second.losePower()
      course.elected().write()
      first.start()
      second.start()
      course.pass(1).leader.kill()
      course.elected().write()
    }),
  )

  test(
    'a voter loses its whole disk, and a new leader exists before it is back as another replica',
    inWorlds(3, (course) => {
      const { cluster } = course
      const lost = course.elected().leader
      const index = course.write()
      cluster.wipe(lost)
      course.elected()
      expect(course.leader.appliedIndex).toBeGreaterThan(index)
      const fresh = cluster.replicas.get(lost.node)!
      course.until('catching up', () => fresh.appliedIndex >= index)
      expect(course.leader.raft!.changeMembership({ kind: 'remove', replica: lost.id }).kind).toBe('proposed')
      course.leader.pump()
      course.until('removal', () => course.leader.raft!.votersIndex <= course.leader.raft!.commitIndex)
      course.until('addition', () => {
        const kind = course.leader.raft!.changeMembership({ kind: 'add', replica: fresh.id }).kind
        course.leader.pump()
        return kind === 'proposed'
      })
      course.until('three voters', () => cluster.checker.committedVoters.includes(fresh.id))
    }),
  )

  test(
    'one voter becomes five and one again',
    inWorlds(1, (course) => {
      const { cluster } = course
      course.elected()
      for (const kind of ['add', 'remove'] as const) {
        course.until(`${kind} done`, () => {
          const { raft } = course.leader
          const outside = [...cluster.replicas.values()].find(({ id }) => !raft!.voters.includes(id))
          const replica = kind === 'add' ? outside?.id : raft!.voters.find((id) => id !== course.leader.id)
          if (replica === undefined) return raft!.votersIndex <= raft!.commitIndex
          raft!.changeMembership({ kind, replica })
          course.leader.pump()
          return false
        })
        course.write()
      }
      expect(cluster.checker.committedVoters).toHaveLength(1)
    }),
  )
})
