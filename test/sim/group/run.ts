// One seed: groups of consumers and their coordinator under faults for a while, every invariant after every event; then all
// is healed, and within a time the work must be divided and every record handled.

import { drainMicrotasks } from 'bun:jsc'
import { BrokenInvariant } from '../../../src/core/base/index.ts'
import type { PlantedFault } from '../../../src/core/group/index.ts'
import { SimClock } from '../clock.ts'
import { SimRandom } from '../random.ts'
import { World } from '../world.ts'
import { Checker, InvariantBroken } from './checker.ts'
import { Consumer, type ConsumerOptions } from './consumers.ts'
import { SimCoordinator } from './sim-coordinator.ts'

export interface Outcome {
  readonly seed: number
  /** What went wrong, or null. */
  readonly failure: string | null
  readonly events: number
  readonly virtualMs: number
  readonly fingerprint: number
  readonly faults: ReadonlyMap<string, number>
  readonly records: number
  readonly commits: number
  readonly refusals: number
}

const FAULTS: Readonly<Record<PlantedFault, true>> = {
  'commit-without-fencing': true,
  'assign-before-revoked': true,
  'session-reset-by-stale-commit': true,
}
export const MISTAKES = Object.keys(FAULTS)

export function isMistake(name: string): name is PlantedFault {
  return Object.hasOwn(FAULTS, name)
}

export interface RunOptions {
  mistake?: PlantedFault
  print?: (line: string) => void
}

const SAFETY_MS = 60_000
const HEALED_MS = 120_000
const TICK_MS = 500
const GHOST_MS = 25_000

class NotLive extends Error {}

class GroupWorld {
  readonly world = new World()
  readonly clock = new SimClock(this.world)
  readonly checker = new Checker(() => this.world.now)
  readonly coordinator: SimCoordinator
  readonly consumers: Consumer[] = []
  readonly faults = new Map<string, number>()
  records = 0
  fingerprint = 0x811c9dc5
  readonly #seed: number
  readonly #print: ((line: string) => void) | null
  readonly #swarm: SimRandom
  readonly #nemesis: SimRandom
  readonly #producer: SimRandom
  readonly #groups: { group: string; join: ConsumerOptions['join']; style: ConsumerOptions['style'] | 'both' }[] = []
  /** Mean times between faults; absent in this world where infinite. */
  readonly #faultMs: Readonly<Record<string, number>>
  #isHealed = false
  #born = 0

  constructor(seed: number, { mistake, print }: RunOptions) {
    this.#seed = seed
    this.#print = print ?? null
    this.#swarm = new SimRandom(seed, 'swarm')
    this.#nemesis = new SimRandom(seed, 'nemesis')
    this.#producer = new SimRandom(seed, 'producer')
    const swarm = this.#swarm
    const draw = (chance: number, low: number, high: number): number =>
      swarm.chance(chance) ? swarm.between(low, high) : 0
    this.coordinator = new SimCoordinator(
      this.clock,
      this.checker,
      new SimRandom(seed, 'journal'),
      new SimRandom(seed, 'network'),
      {
        commitMs: swarm.pick([1, 5, 50, 300]),
        recordsPerPoll: swarm.int(1, 20),
        planted: {
          ...(mistake === undefined ? {} : { mistake }),
          ...(swarm.chance(0.2) ? { draftBytesMax: 1_500 } : {}),
        },
        network: {
          delayMs: swarm.pick([1, 10, 100]),
          loss: draw(0.5, 0, 0.2),
          repeat: draw(0.5, 0, 0.3),
          repeatMs: swarm.pick([100, 2_000, 15_000]),
        },
      },
      (line) => this.note(line),
    )
    const every = (chance: number, low: number, high: number): number => draw(chance, low, high) || Infinity
    this.#faultMs = {
      crash: every(0.4, 5_000, 40_000),
      lose: every(0.4, 1_000, 20_000),
      fill: every(0.2, 10_000, 40_000),
      pause: every(0.5, 1_000, 20_000),
      die: every(0.5, 3_000, 30_000),
      leave: every(0.4, 3_000, 30_000),
      come: every(0.6, 3_000, 20_000),
      grow: every(0.3, 10_000, 60_000),
      recreate: every(0.2, 10_000, 60_000),
    }
    this.checker.believers = () => this.consumers.filter(({ isGone, options }) => !isGone && options.style === 'smart')
  }

  run(): void {
    const { coordinator } = this
    coordinator.topics.grow('orders', this.#swarm.int(1, 6))
    if (this.#swarm.chance(0.5)) coordinator.topics.grow('payments', this.#swarm.int(1, 4))
    coordinator.start()
    for (let i = this.#swarm.int(1, 2); i > 0; i--) this.#addGroup(`g${i}`)
    this.#every(200, () => this.#produce())
    this.#every(TICK_MS, () => this.#tick())
    for (const [fault, ms] of Object.entries(this.#faultMs)) this.#plague(fault, ms)
    this.#until(SAFETY_MS, () => false)
    this.#heal()
    if (!this.#until(SAFETY_MS + HEALED_MS, () => this.#isSettled())) throw new NotLive(this.#unsettled())
  }

  note(line: string): void {
    const text = `${this.world.now.toFixed(1).padStart(9)}  ${line}`
    for (let i = 0; i < text.length; i++) {
      this.fingerprint = Math.imul(this.fingerprint ^ text.charCodeAt(i), 0x01000193) >>> 0
    }
    this.#print?.(text)
  }

  /** True: `done` came to be. */
  #until(ms: number, done: () => boolean): boolean {
    drainMicrotasks()
    let checkedAt = 0
    return this.world.runUntil(ms, () => {
      drainMicrotasks()
      this.checker.check()
      if (this.world.now - checkedAt < TICK_MS) return false
      checkedAt = this.world.now
      return done()
    })
  }

  // --- what happens ----------------------------------------------------------------------------------------------------

  #addGroup(group: string): void {
    const swarm = this.#swarm
    const join = {
      topics: ['orders', 'payments'],
      sessionMs: 6_000,
      pollMs: swarm.pick([6_000, 20_000]),
      rebalanceMs: swarm.pick([1_000, 5_000]),
      assignor: swarm.pick(['sticky', 'sticky', 'range', 'leader'] as const),
      delivery: swarm.pick(['at-least-once', 'at-least-once', 'at-most-once'] as const),
    }
    this.checker.deliveries.set(group, join.delivery)
    this.#groups.push({ group, join, style: swarm.pick(['poller', 'smart', 'both'] as const) })
    for (let i = swarm.int(1, 5); i > 0; i--) this.#bear(this.#groups.length - 1)
  }

  #bear(index: number, heir?: Consumer): void {
    const { group, join, style } = this.#groups[index]!
    const swarm = this.#swarm
    const number = ++this.#born
    const member = heir !== undefined && swarm.chance(0.8) ? heir.member : `m${number}`
    const place = heir === undefined ? (swarm.chance(0.2) ? `s${number}` : undefined) : heir.options.join.static
    const options: ConsumerOptions =
      heir !== undefined && heir.member === member
        ? { ...heir.options, isHeir: true }
        : {
            group,
            member,
            style: style === 'both' ? swarm.pick(['poller', 'smart'] as const) : style,
            join: { ...join, ...(place === undefined ? {} : { static: place }) },
            workMs: swarm.pick([1, 20, 200]),
            waitMs: swarm.pick([0, 1_000, 10_000]),
            timeoutMs: swarm.pick([500, 3_000]),
            tellsGeneration: swarm.chance(0.5),
            isHeir: false,
            isSloppy: !this.#isHealed,
          }
    const random = new SimRandom(this.#seed, `consumer ${number}`)
    const consumer = new Consumer(options, this.coordinator, this.checker, this.clock, random)
    this.consumers.push(consumer)
    this.note(`${member} of ${group} comes, a ${options.style}`)
    consumer.start()
  }

  #produce(): void {
    if (this.#isHealed) return
    const { ends } = this.coordinator.topics
    if (ends.size === 0) return
    const place = this.#producer.pick([...ends.keys()])
    const count = this.#producer.int(0, 3)
    ends.set(place, ends.get(place)! + count)
    this.records += count
  }

  #tick(): void {
    if (this.coordinator.isFree) this.checker.checkSilence()
  }

  #every(ms: number, act: () => void): void {
    this.clock.after(ms, () => {
      act()
      this.#every(ms, act)
    })
  }

  #plague(fault: string, meanMs: number): void {
    if (meanMs === Infinity) return
    this.clock.after(this.#nemesis.exponential(meanMs), () => {
      if (this.#isHealed) return
      this.#strike(fault)
      this.#plague(fault, meanMs)
    })
  }

  #strike(fault: string): void {
    const nemesis = this.#nemesis
    const living = this.consumers.filter(({ isGone }) => !isGone)
    this.note(`fault: ${fault}`)
    this.faults.set(fault, (this.faults.get(fault) ?? 0) + 1)
    switch (fault) {
      case 'crash':
        this.coordinator.crash()
        this.clock.after(nemesis.between(50, 4_000), () => this.coordinator.start())
        return
      case 'lose':
        return this.coordinator.lose()
      case 'fill':
        this.coordinator.fill(true)
        this.clock.after(nemesis.between(100, 5_000), () => this.coordinator.fill(false))
        return
      case 'grow': {
        const name = nemesis.pick(['orders', 'payments'])
        const count = this.coordinator.topics.topicNamed(name)?.partitions.length ?? 0
        if (count < 10) this.coordinator.topics.grow(name, count + nemesis.int(1, 2))
        return this.coordinator.refresh()
      }
      case 'recreate': {
        const name = nemesis.pick(['orders', 'payments'])
        this.coordinator.topics.delete(name)
        this.coordinator.refresh()
        this.clock.after(nemesis.between(0, 2_000), () => {
          this.coordinator.topics.grow(name, nemesis.int(1, 4))
          this.coordinator.refresh()
        })
        return
      }
      case 'come':
        if (living.length < 10) this.#bear(nemesis.int(0, this.#groups.length - 1))
        return
    }
    if (living.length === 0) return
    const victim = nemesis.pick(living)
    if (fault === 'pause') victim.pause(nemesis.between(100, 15_000))
    else if (fault === 'leave') victim.leave()
    else this.#kill(victim)
  }

  #kill(victim: Consumer): void {
    const nemesis = this.#nemesis
    const words = victim.lastWords()
    victim.die()
    const index = this.#groups.findIndex(({ group }) => group === victim.group)
    if (nemesis.chance(0.7)) this.clock.after(nemesis.between(100, 20_000), () => this.#bear(index, victim))
    if (!nemesis.chance(0.5)) return
    // It was not so dead: it goes on under a name that may be another's by now.
    const until = this.world.now + GHOST_MS
    const haunt = (): void => {
      if (this.world.now > until) return
      void this.coordinator.call(words, 1_000)
      this.clock.after(1_000, haunt)
    }
    this.clock.after(nemesis.between(0, 15_000), haunt)
  }

  // --- life ------------------------------------------------------------------------------------------------------------

  #heal(): void {
    this.#isHealed = true
    this.note('healed')
    this.coordinator.options.commitMs = 1
    Object.assign(this.coordinator.options.network, { loss: 0, repeat: 0, delayMs: 1 })
    this.coordinator.fill(false)
    this.coordinator.refresh()
    for (const { options } of this.consumers) Object.assign(options, { workMs: 1, isSloppy: false })
    this.#groups.forEach((_, index) => this.#bear(index))
  }

  #isSettled(): boolean {
    return this.#unsettled() === ''
  }

  #unsettled(): string {
    const { view, topics } = this.coordinator
    if (view === null) return 'the coordinator is not there'
    for (const { group, join } of this.#groups) {
      const state = view.groups.get(group)?.state
      if (state !== 'stable') return `${group} is ${state}`
      for (const [place, end] of topics.ends) {
        const counts = this.checker.handled.get(`${group}/${place}`)
        for (let offset = 0; offset < end && join.delivery === 'at-least-once'; offset++) {
          if ((counts?.[offset] ?? 0) === 0) return `${group} has not handled ${place} at ${offset}`
        }
        const committed = this.checker.committed(group, place) ?? 0
        if (join.delivery === 'at-most-once' && committed < end)
          return `${group} is at ${committed} of ${end} in ${place}`
      }
    }
    return ''
  }
}

export function runSeed(seed: number, options: RunOptions = {}): Outcome {
  const world = new GroupWorld(seed, options)
  let failure: string | null = null
  try {
    world.run()
  } catch (error) {
    const expected = error instanceof InvariantBroken || error instanceof BrokenInvariant || error instanceof NotLive
    failure = expected ? error.message : `crash: ${error instanceof Error ? error.stack : String(error)}`
    world.note(`FAILED: ${failure}`)
  }
  return {
    seed,
    failure,
    events: world.world.events,
    virtualMs: world.world.now,
    fingerprint: world.fingerprint,
    faults: new Map([...world.faults, ...world.coordinator.counts]),
    records: world.records,
    commits: world.checker.commits,
    refusals: world.checker.refusals,
  }
}
