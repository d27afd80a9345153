// A cursor as what a member commits: everything it names.

import type { OffsetCommit } from '../../core/group/index.ts'
import { readCursor } from './cursor.ts'
import { Problem } from './problem.ts'

export function commitsOf(cursor: string, parameter: string): OffsetCommit[] | Problem {
  const entries = readCursor(cursor, parameter)
  if (entries instanceof Problem) return entries
  const commits: OffsetCommit[] = []
  for (const { topicId, partition, offset, epoch } of entries) {
    if (topicId === null) {
      return new Problem('malformed', `${parameter} does not say its topic: use the cursor of an answer`, { parameter })
    }
    commits.push({ topicId, partition, nextOffset: offset, leaderEpoch: epoch, metadata: null })
  }
  return commits
}
