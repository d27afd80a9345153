// What every connection that is pushed to shares.

import type { Broker } from '../../core/broker/index.ts'
import type { Feeds } from './feeds.ts'
import type { Flushes } from './flushes.ts'
import type { Members } from './members.ts'
import type { Pulse } from './pulse.ts'
import type { SlowReaders } from './slow-readers.ts'
import type { Drafts } from './unit-reader.ts'

export interface PushWorld {
  readonly broker: Broker
  readonly nodeId: number
  readonly drafts: Drafts
  readonly feeds: Feeds
  readonly pulse: Pulse
  readonly slow: SlowReaders
  readonly flushes: Flushes
  readonly heartbeatMs: number
  /** How long a connection may take nothing of what it was given. */
  readonly slowMs: number
  readonly monotonicMs: () => number
  /** Resolves in the next turn of the event loop. */
  readonly turn: () => Promise<void>
  readonly sleep: (ms: number) => Promise<void>
  /** The sockets that are members of groups. */
  readonly members: Members
  readonly onFailure: (error: unknown) => void
}
