export { type DriverListener, type DriverSetup, RaftDriver } from './driver.ts'
export { batchOf, controlBatch, controlValue, entryOf, votersOf } from './entry-batch.ts'
export { EntryIndex } from './entry-index.ts'
export { type Entry, type EntryBody, entryBytes, lastIndexOf } from './entry.ts'
export type { ChangeRefusal, LeaderRefusal, Proposed, ProposeRefusal, TransferRefusal } from './leadership.ts'
export { distance, type Membership, type MembershipChange } from './membership.ts'
export type { Envelope, Message, MessageBody, MessageOf } from './message.ts'
export { decodeMessage, encodeMessage } from './message-codec.ts'
export { defaultRaftOptions, type RaftOptions } from './options.ts'
export type { PlantedFault } from './planted.ts'
export type { Progress } from './progress.ts'
export { majorityOf } from './quorum.ts'
export { type NotLeader, Raft, type RaftSetup } from './raft.ts'
export type { Ready, Role, Standing, Write } from './ready.ts'
export { isReplicaId, nodeIdOf, type ReplicaId, replicaIdOf } from './replica-id.ts'
export {
  COPY_BYTES,
  COPY_POSITIONS,
  decodeStateFile,
  encodeState,
  type SavedState,
  STATE_FILE_BYTES,
  type StateFile,
} from './state-file.ts'
export type { Position, RaftStorage, SnapshotHead, Vote } from './storage.ts'
export type { RaftStore, RaftStoreListener, SnapshotChunk } from './store.ts'
