// Producer ids are handed to brokers in blocks, so that registering a producer rarely waits for the metadata log. Ids of a
// block that a crash cuts short are never used: an id names one producer for all time.

import { assert } from '../base/index.ts'
import type { Decision } from '../machine/index.ts'
import type { AllocateProducerIds, ClusterReply } from './commands.ts'
import type { ClusterImage } from './image.ts'
import type { ClusterRecord } from './records.ts'

export function decideProducerIds(
  image: ClusterImage,
  command: AllocateProducerIds,
): Decision<ClusterRecord, ClusterReply> {
  const firstId = image.nextProducerId
  assert(command.count > 0 && Number.isSafeInteger(firstId + command.count), 'producer ids stay below 2^53')
  return {
    records: [{ kind: 'producer-ids-allocated', nextProducerId: firstId + command.count }],
    reply: { kind: 'producer-ids', firstId, count: command.count },
  }
}
