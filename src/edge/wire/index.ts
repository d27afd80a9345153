export type { BodyFault } from './body-fault.ts'
export { type CursorPlace, readCursor, writeCursor } from './cursor.ts'
export { durationMs, notADuration, notASize, sizeBytes } from './duration-size.ts'
export { keptMembers, partialProblem } from './kept.ts'
export { nearestName } from './nearest-name.ts'
export { readStart, readUntil } from './position.ts'
export { allProblemCodes, type ProblemCode, problemCodes } from './problem-code.ts'
export { type Outcome, Problem } from './problem.ts'
export { problemOf, problemOfFault } from './refusal.ts'
export { timestampFault } from './timestamp.ts'
export { ClusterShape, HealthShape, LimitsShape, type LimitsView, limitsView, ReadyShape } from './operations.ts'
export { ProblemShape } from './problem-shape.ts'
export {
  FetchedShape,
  ProduceBodyShape,
  ProducedLineShape,
  ProducedShape,
  ProducerShape,
  RecordShape,
} from './records.ts'
export { requestKeyOf } from './request-key.ts'
export { cursorOf } from './session-cursor.ts'
export { heldAgainst, readShape } from './shape.ts'
export {
  PartitionsAdd,
  PartitionShape,
  partitionView,
  TopicAlter,
  TopicAlterShape,
  TopicCreate,
  TopicCreateShape,
  TopicDeletedShape,
  TopicListShape,
  type TopicListView,
  TopicName,
  TopicShape,
  TopicTrim,
  type TopicView,
  type TrimmedView,
  topicView,
  TrimmedShape,
} from './topics.ts'
