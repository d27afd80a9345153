export { Broker, type BrokerOptions, type BrokerSettings, type BrokerStatus } from './broker.ts'
export type { BrokerCluster } from './cluster-member.ts'
export { FetchSession, type FetchSlice } from './fetch.ts'
export type { CursorEntry, FetchPosition, FetchRequest, FetchStart, FetchUntil } from './fetch-request.ts'
export type { MetadataRefusal } from './metadata.ts'
export { ProduceSession } from './produce.ts'
export type { AppendedBatch, ProduceOutcome, ProduceRequest, RequestKey } from './produce-request.ts'
export type { QuorumReply, VotersWhy } from './quorum.ts'
export type { FetchRefusal, PartitionResult, PlaceRefusal, ProduceRefusal } from './refusal.ts'
export type { Replica } from './replicas.ts'
export { TopicRoute } from './routing.ts'
export { StartRefused } from './start-refused.ts'
export type { Wake } from './waiting.ts'
export type {
  CommitAsk,
  CoordinatorRefusal,
  DescribedGroup,
  GroupPlace,
  GroupsRefusal,
  GroupSummary,
  MemberAsk,
  ResetAsk,
  ResetPlace,
  ResetTo,
  Standing,
} from './groups/asks.ts'
export type { Parking } from './groups/groups.ts'
export { MemberPoll } from './groups/member-poll.ts'
