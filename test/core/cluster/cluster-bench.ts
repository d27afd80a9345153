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

export class ClusterBench {
  nowMs = 1_790_000_000_000
  readonly log: ClusterRecord[] = []
  readonly options: ClusterMachineOptions
  machine: ClusterMachine
  #ids = 0

  constructor(defaults: Partial<ClusterMachineOptions['defaults']> = {}) {
    this.options = {
      defaults: { partitions: 1, replicationFactor: 3, config: {}, ...defaults },
      newTopicId: () => this.#newTopicId(),
    }
    this.machine = new ClusterMachine(this.options)
  }

  get image(): ClusterImage {
    return this.machine.view()
  }

  submit(command: ClusterCommand): ClusterReply {
    const before = describe(this.image)
    const { records, reply } = this.machine.decide(command, this.nowMs)
    expect(describe(this.machine.view())).toBe(before)
    for (const record of records) {
      const stored = clusterRecords.decode(clusterRecords.encode(record))
      expect(stored).toEqual(record)
      this.machine.apply(stored)
      // Each says what is so after it: twice is once.
      const once = describe(this.image)
      this.machine.apply(stored)
      expect(describe(this.image)).toBe(once)
      this.log.push(stored)
    }
    return reply
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
  })
}
