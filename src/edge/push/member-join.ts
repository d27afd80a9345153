// What a subscribe asks of the group it names.

import type { Join, StartFrom } from '../../core/group/index.ts'
import type { SubscribeOp } from '../wire/index.ts'

export function joinOf(op: SubscribeOp, group: string, member: string): Omit<Join, 'kind'> {
  const { topics, from, tags, delivery, assignor, sessionMs, pollMs, rebalanceMs, static: place } = op
  return {
    group,
    member,
    topics,
    // It has been looked at: one of those of a group.
    ...(from === undefined ? null : { from: from as StartFrom }),
    ...(tags === undefined ? null : { tags: [...new Set(tags)].sort() }),
    ...(delivery === undefined ? null : { delivery }),
    ...(assignor === undefined ? null : { assignor }),
    ...(sessionMs === undefined ? null : { sessionMs }),
    ...(pollMs === undefined ? null : { pollMs }),
    ...(rebalanceMs === undefined ? null : { rebalanceMs }),
    ...(place === undefined ? null : { static: place }),
  }
}
