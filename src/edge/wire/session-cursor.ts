// Where a fetch session stands, as a cursor.

import type { FetchSession } from '../../core/broker/index.ts'
import { type CursorPlace, writeCursor } from './cursor.ts'

export function cursorOf(session: FetchSession): string {
  return writeCursor(places(session))
}

function* places(session: FetchSession): Iterable<CursorPlace> {
  for (const { topic, replica, offset } of session.positions) {
    // The epoch of what was read last: where that ends elsewhere, the log took another course.
    const epoch = offset > replica.live.startOffset ? replica.live.epochAt(offset - 1) : null
    yield {
      topicId: topic.id,
      partition: replica.partition,
      offset,
      epoch: epoch !== null && epoch >= 0 ? epoch : null,
    }
  }
}
