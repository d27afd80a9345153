// Producer ids handed out by this broker: taken from the cluster in blocks, so that a new producer seldom waits for a commit.
// Ids of a block that were not handed out before a restart are never used.

import type { Forwarding } from './forwarding.ts'
import type { MetadataReply } from './metadata.ts'

const BLOCK_IDS = 1_000

export type NewProducer = { producerId: number; producerEpoch: number } | MetadataReply

export class ProducerIds {
  readonly #forwarding: Forwarding
  #nextId = 0
  #endId = 0
  #block: Promise<MetadataReply> | null = null

  constructor(forwarding: Forwarding) {
    this.#forwarding = forwarding
  }

  async next(): Promise<NewProducer> {
    while (this.#nextId >= this.#endId) {
      this.#block ??= this.#forwarding.submit({ kind: 'allocate-producer-ids', count: BLOCK_IDS })
      const block = this.#block
      const reply = await block
      if (this.#block === block) {
        this.#block = null
        if (reply.kind === 'producer-ids') {
          this.#nextId = reply.firstId
          this.#endId = reply.firstId + reply.count
        }
      }
      if (reply.kind !== 'producer-ids') return reply
    }
    return { producerId: this.#nextId++, producerEpoch: 0 }
  }
}
