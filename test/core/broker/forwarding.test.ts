// Commands passed on between brokers that are only this: what is asked again, what is not, and what the one who asks is told.

import { describe, expect, test } from 'bun:test'
import { Forwarding } from '../../../src/core/broker/forwarding.ts'
import type { Decided } from '../../../src/core/broker/metadata.ts'
import { Timers } from '../../../src/core/broker/timers.ts'
import type { ClusterCommand } from '../../../src/core/cluster/index.ts'
import type { PeerListener, Peers } from '../../../src/core/ports/index.ts'
import { SimClock } from '../../sim/clock.ts'
import { SimRandom } from '../../sim/random.ts'

const CREATE = { kind: 'create-topic', name: 't' } as const
const NAME: Decided = { kind: 'decided', reply: { kind: 'unknown-topic', name: 't' }, end: 7 }

/** Brokers 1, 2, …: each decides by its script, in order, the last of it for ever. */
class Brokers {
  readonly clock = new SimClock()
  readonly nodes: Node[]
  /** Messages on their way are lost. */
  isCut = false

  constructor(count: number) {
    this.nodes = Array.from({ length: count }, (_, i) => new Node(this, i + 1))
  }

  node(nodeId: number): Node {
    return this.nodes[nodeId - 1]!
  }

  elect(nodeId: number | null): void {
    for (const node of this.nodes) node.elected(nodeId)
  }
}

class Node implements Peers {
  readonly forwarding: Forwarding
  readonly decided: ClusterCommand['kind'][] = []
  script: (Decided | Promise<Decided>)[] = [NAME]
  controller: number | null = null
  reachedUpTo = 0
  listener!: PeerListener
  readonly #brokers: Brokers
  readonly #nodeId: number
  #onController: (nodeId: number) => void = () => {}

  constructor(brokers: Brokers, nodeId: number) {
    this.#brokers = brokers
    this.#nodeId = nodeId
    this.forwarding = new Forwarding({
      nodeId,
      peers: this,
      timers: new Timers(brokers.clock),
      random: new SimRandom(nodeId, 'forwarding'),
      metadata: this,
      quorum: { decide: async () => ({ kind: 'refused', why: 'not-controller' }) },
    })
  }

  onController(told: (nodeId: number) => void): void {
    this.#onController = told
  }

  async decide(command: ClusterCommand): Promise<Decided> {
    this.decided.push(command.kind)
    return this.script.length > 1 ? this.script.shift()! : this.script[0]!
  }

  async reached(end: number): Promise<void> {
    this.reachedUpTo = end
  }

  elected(nodeId: number | null): void {
    this.controller = nodeId
    if (nodeId !== null) this.#onController(nodeId)
  }

  send(to: number, _lane: string, _subject: string, bytes: Uint8Array): boolean {
    const from = { nodeId: this.#nodeId, directoryId: 'd' }
    const { clock } = this.#brokers
    clock.after(1, () => {
      if (!this.#brokers.isCut) this.#brokers.node(to).listener.onMessage(from, bytes)
    })
    return true
  }

  listen(_subject: string, listener: PeerListener): void {
    this.listener = listener
  }
}

describe('a command', () => {
  test('is decided by the controller, and answered when the one asked has heard of it', () => {
    const brokers = new Brokers(2)
    brokers.elect(2)
    const asked = brokers.node(1).forwarding.submit(CREATE)
    expect(brokers.clock.run(asked)).toEqual({ kind: 'unknown-topic', name: 't' })
    expect(brokers.nodes.map(({ decided }) => decided)).toEqual([[], ['create-topic']])
    expect(brokers.node(1).reachedUpTo).toBe(7)
  })

  test('waits for a controller, but not for ever', () => {
    const brokers = new Brokers(2)
    brokers.clock.after(1_500, () => brokers.elect(2))
    expect(brokers.clock.run(brokers.node(1).forwarding.submit(CREATE))).toMatchObject({ kind: 'unknown-topic' })
    brokers.elect(null)
    const from = brokers.clock.monotonic()
    expect(brokers.clock.run(brokers.node(1).forwarding.submit(CREATE))).toEqual({ kind: 'no-controller' })
    expect(brokers.clock.monotonic() - from).toBeWithin(5_000, 5_100)
  })

  test('is asked again where it provably was not decided', () => {
    const brokers = new Brokers(2)
    brokers.elect(2)
    brokers.node(2).script = [{ kind: 'refused', why: 'not-controller' }, { kind: 'refused', why: 'busy' }, NAME]
    expect(brokers.clock.run(brokers.node(1).forwarding.submit(CREATE))).toMatchObject({ kind: 'unknown-topic' })
    expect(brokers.node(2).decided).toHaveLength(3)
  })

  test.each([
    [
      'the outcome is unknown there',
      (brokers: Brokers) => void (brokers.node(2).script = [{ kind: 'unknown-outcome' }]),
    ],
    ['the answer is lost', (brokers: Brokers) => brokers.clock.after(1.5, () => (brokers.isCut = true))],
    ['another decides meanwhile', (brokers: Brokers) => brokers.clock.after(1.5, () => brokers.elect(1))],
    [
      'the lane to it broke',
      (brokers: Brokers) =>
        brokers.clock.after(1.5, () => brokers.node(1).listener.onDown!({ nodeId: 2, directoryId: 'd' })),
    ],
  ])('is asked once when %s', (_, goWrong) => {
    const brokers = new Brokers(2)
    brokers.elect(2)
    goWrong(brokers)
    expect(brokers.clock.run(brokers.node(1).forwarding.submit(CREATE))).toEqual({ kind: 'unknown-outcome' })
    expect(brokers.node(2).decided).toEqual(['create-topic'])
    expect(brokers.node(1).decided).toEqual([])
  })

  test('that is under way at the end is answered', () => {
    const brokers = new Brokers(2)
    brokers.elect(2)
    brokers.node(2).script = [new Promise(() => {})]
    const asked = brokers.node(1).forwarding.submit(CREATE)
    brokers.clock.pass(10)
    brokers.node(1).forwarding.close()
    expect(brokers.clock.run(asked)).toEqual({ kind: 'unknown-outcome' })
    expect(brokers.clock.run(brokers.node(1).forwarding.submit(CREATE))).toEqual({ kind: 'closing' })
  })

  test.each(['', 'null', '7', '{}', '{"id":1}', '{"id":1,"command":null}', '{"id":1,"command":{"kind":"toString"}}'])(
    'that is none, as %p, is passed over',
    (text) => {
      const brokers = new Brokers(1)
      brokers.elect(1)
      brokers.node(1).listener.onMessage({ nodeId: 2, directoryId: 'd' }, new TextEncoder().encode(text))
      expect(brokers.node(1).decided).toEqual([])
    },
  )
})
