// The cluster's machine without a journal: decides, applies at once, and holds every decision to the rules all share.

import { expect } from 'bun:test'
import { type TopicId, topicIdOf } from '../../../src/core/base/index.ts'
import {
  type ClusterCommand,
  type ClusterImage,
  ClusterMachine,
  type ClusterMachineOptions,
  type ClusterRecord,
  clusterRecords,
  type ClusterReply,
} from '../../../src/core/cluster/index.ts'
import type { TimerChange } from '../../../src/core/machine/index.ts'

export class ClusterBench {
  nowMs = 1_790_000_000_000
  readonly log: ClusterRecord[] = []
  /** Decisions that wrote anything, since the brokers joined. */
  writes = 0
  readonly options: ClusterMachineOptions
  machine: ClusterMachine
  #ids = 0

  /** `racks`: of the brokers that are live from the start, from node 1 on. */
  constructor(defaults: Partial<ClusterMachineOptions['defaults']> = {}, racks: readonly (string | null)[] = [null]) {
    this.options = {
      nodeId: 1,
      defaults: { partitions: 1, replicationFactor: 3, config: {}, ...defaults },
      newTopicId: () => this.#newTopicId(),
    }
    this.machine = new ClusterMachine(this.options)
    for (const [i, rack] of racks.entries()) this.join(i + 1, rack)
    this.writes = 0
  }

  /** A broker that leads from now on. */
  join(nodeId: number, rack: string | null = null, incarnationId = `start-${this.nowMs++}`): number {
    const reply = this.submit({
      kind: 'register-broker',
      nodeId,
      incarnationId,
      directoryId: `folder-${nodeId}`,
      rack,
      address: `http://broker-${nodeId}`,
      isCaughtUp: true,
      epochAtLeast: 1,
    })
    if (reply.kind !== 'registered') throw new Error(reply.kind)
    return reply.brokerEpoch
  }

  get image(): ClusterImage {
    return this.machine.view()
  }

  submit(command: ClusterCommand): ClusterReply {
    const before = describe(this.image)
    const { records, reply, timers = [] } = this.machine.decide(command, this.nowMs)
    expect(describe(this.machine.view())).toBe(before)
    if (records.length > 0) this.writes++
    for (const record of records) {
      const stored = clusterRecords.decode(clusterRecords.encode(record))
      expect(stored).toEqual(record)
      this.#change(this.machine.apply(stored))
      // Each says what is so after it: twice is once.
      const once = describe(this.image)
      this.machine.apply(stored)
      expect(describe(this.image)).toBe(once)
      this.log.push(stored)
    }
    this.#change(timers)
    return reply
  }

  /** What a timer would submit, by its name. */
  readonly timers = new Map<string, ClusterCommand>()

  #change(changes: readonly TimerChange<ClusterCommand>[]): void {
    for (const change of changes) {
      if (change.afterMs === null) this.timers.delete(change.timer)
      else this.timers.set(change.timer, change.command)
    }
  }

  /** A timer fires. */
  fire(timer: string): void {
    const command = this.timers.get(timer)
    if (command === undefined) throw new Error(`no timer ${timer}`)
    this.timers.delete(timer)
    this.submit(command)
  }

  /** A machine of the same records. */
  replayed(records: Iterable<ClusterRecord> = this.log): ClusterMachine {
    const machine = new ClusterMachine(this.options)
    for (const record of records) machine.apply(record)
    return machine
  }

  #newTopicId(): TopicId {
    const id = this.#ids++
    return topicIdOf(new Uint8Array(20).map((_, i) => (i < 6 ? id >> (i * 5) : 0)))
  }
}

/** Everything an image holds, to compare. */
export function describe(image: ClusterImage): string {
  return JSON.stringify({
    topics: [...image.topics()],
    names: image.names,
    deletions: [...image.deletions()],
    nextProducerId: image.nextProducerId,
    brokers: [...image.brokers()],
    nextEpoch: image.nextEpoch,
  })
}
