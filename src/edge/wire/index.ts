export { ByteWriter } from './byte-writer.ts'
export { type CursorPlace, readCursor, writeCursor } from './cursor.ts'
export { durationMs, notADuration, notASize, sizeBytes } from './duration-size.ts'
export { commitsOf } from './group-commits.ts'
export { problemOfGroup, problemOfMember } from './group-refusal.ts'
export {
  type AssignmentView,
  GroupCommittedShape,
  GroupDeletedShape,
  GroupHeartbeat,
  GroupJoin,
  GroupJoinShape,
  GroupLeftShape,
  GroupListShape,
  type GroupListView,
  GroupMembershipShape,
  GroupName,
  GroupOffsetsPut,
  GroupOffsetsShape,
  GroupPlan,
  GroupPlannedShape,
  GroupPolledShape,
  GroupReset,
  GroupResetShape,
  type GroupResetView,
  GroupShape,
  type GroupShownView,
} from './groups.ts'
export { groupView, isMembership, membershipView, offsetsView, standingText } from './group-views.ts'
export { keptMembers, partialProblem } from './kept.ts'
export { nearestName } from './nearest-name.ts'
export { readStart, readUntil } from './position.ts'
export { type ProblemCode, problemCodes } from './problem-code.ts'
export { Problem } from './problem.ts'
export { problemOf, problemOfFault } from './refusal.ts'
export {
  BrokerListShape,
  type BrokerListView,
  ClusterShape,
  type ClusterView,
  HealthShape,
  LimitsShape,
  type LimitsView,
  limitsView,
  ReadyShape,
  VotersShape,
  type VotersView,
} from './operations.ts'
export { ProblemShape } from './problem-shape.ts'
export { EventShape, ServerMessageShape } from './push-messages.ts'
export {
  FetchedShape,
  ProduceBodyShape,
  ProducedLineShape,
  ProducedShape,
  ProducerShape,
  RecordShape,
} from './records.ts'
export {
  type BodyFault,
  type GivenParameters,
  type LinedBody,
  NdjsonRecords,
  NdjsonValues,
  type PointerPath,
  pointerSteps,
  readFormBody,
  readJsonBody,
  readRawBody,
  RecordParameters,
  type RecordSink,
  TextLines,
  timestampFault,
} from './records-in.ts'
export { type ClientOp, ClientOpShape, type ProduceOp, readOp, type RefusedOp, type SubscribeOp } from './push-ops.ts'
export { RecordsWriter, type WriteOptions } from './records-out.ts'
export { requestKeyOf } from './request-key.ts'
export { cursorOf } from './session-cursor.ts'
export { readShape } from './shape.ts'
export {
  PartitionRetire,
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
