export { Broker, type BrokerOptions, type BrokerSettings, type BrokerStatus } from './broker.ts'
export {
  type CursorEntry,
  type FetchPosition,
  type FetchRequest,
  FetchSession,
  type FetchSlice,
  type FetchStart,
  type FetchUntil,
} from './fetch.ts'
export {
  type AppendedBatch,
  type ProduceOutcome,
  type ProduceRequest,
  ProduceSession,
  type RequestKey,
} from './produce.ts'
export type { FetchRefusal, PartitionResult, PlaceRefusal, ProduceRefusal } from './refusal.ts'
export type { Replica } from './replicas.ts'
export type { TopicRoute } from './routing.ts'
export type { Wake } from './waiting.ts'
