export type { Clock } from './clock.ts'
export type { Codec } from './codec.ts'
export { type Disk, DiskError, type DiskFile } from './disk.ts'
export type { Counter, EventFields, Events, Histogram, Meter } from './meter.ts'
export {
  type Lane,
  NO_PEERS,
  type Peer,
  type PeerListener,
  type Peers,
  PEER_MESSAGE_BYTES_MAX,
  type PeerSubject,
  peerSubjects,
} from './peers.ts'
export type { Random } from './random.ts'
