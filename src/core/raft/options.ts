// Timings in ticks and bounds in bytes. The driver decides how long a tick is; 50 ms is assumed by the defaults.

import { assert } from '../base/index.ts'
import type { PlantedFault } from './planted.ts'

export interface RaftOptions {
  /** A follower campaigns after a silence drawn from [electionTicks, 2 × electionTicks), drawn anew each time. */
  readonly electionTicks: number
  readonly heartbeatTicks: number
  /** A leader that has not heard from a majority for this long steps down. */
  readonly quorumTicks: number
  /** A silent observer is forgotten; it asks again when it is back. */
  readonly observerTicks: number
  /** A snapshot that was neither acknowledged nor reported on for this long is offered anew. */
  readonly snapshotTicks: number
  /** Entries in one append, at least one. */
  readonly appendBytesMax: number
  /** Appends on their way to one follower. */
  readonly inflightMax: number
  readonly inflightBytesMax: number
  /** Proposed but not committed; beyond it proposals are refused, unless nothing is waiting. */
  readonly uncommittedBytesMax: number
  /** Entries handed out to apply in one `Ready`. */
  readonly applyBytesMax: number
  readonly observersMax: number
  /** Tests only. */
  readonly planted?: PlantedFault
}

const MIB = 1024 * 1024

/** Heartbeat 150 ms, election 1 to 2 s, check-quorum 3 s. */
export const defaultRaftOptions: RaftOptions = {
  electionTicks: 20,
  heartbeatTicks: 3,
  quorumTicks: 60,
  observerTicks: 200,
  snapshotTicks: 200,
  appendBytesMax: MIB / 4,
  inflightMax: 64,
  inflightBytesMax: 4 * MIB,
  uncommittedBytesMax: 16 * MIB,
  applyBytesMax: MIB,
  observersMax: 1_000,
}

export function checkRaftOptions(options: RaftOptions): void {
  assert(options.heartbeatTicks >= 1, 'heartbeatTicks must be at least 1')
  assert(options.electionTicks > options.heartbeatTicks, 'electionTicks must exceed heartbeatTicks')
  assert(options.quorumTicks >= options.electionTicks, 'quorumTicks must be at least electionTicks')
  assert(options.inflightMax >= 1, 'inflightMax must be at least 1')
}
