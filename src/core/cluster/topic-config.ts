// Every setting of a topic, once: unit, default, bounds, reason. A topic stores only what was given for it (the patch); what
// is in force is the patch over the broker's defaults over the defaults here, worked out when asked, never stored.

import { limits } from '../base/index.ts'

export interface TopicConfig {
  retentionMs: number
  retentionBytes: number
  segmentBytes: number
  segmentMs: number
  cleanup: 'delete' | 'compact' | 'both'
  deleteRetentionMs: number
  minInSyncReplicas: number
  recordBytesMax: number
  replicaLagMessagesMax: number
  replicaLagMsMax: number
  flush: 'group' | 'os'
  compression: 'producer' | 'none' | 'gzip' | 'zstd'
  idempotencyMs: number
}

export type TopicConfigKey = keyof TopicConfig
export type TopicConfigPatch = Partial<TopicConfig>
export type TopicConfigSource = 'topic' | 'broker' | 'default'

export interface IntegerSetting {
  kind: 'integer'
  unit: 'ms' | 'bytes' | 'records' | 'replicas'
  default: number
  min: number
  max: number
  /** -1 is allowed too and means no limit. */
  orNone: boolean
  /** What it does, and why this default. */
  about: string
}

export interface ChoiceSetting<Choice extends string> {
  kind: 'choice'
  default: Choice
  choices: readonly Choice[]
  about: string
}

type SettingOf<Value> = [Value] extends [number]
  ? IntegerSetting
  : [Value] extends [string]
    ? ChoiceSetting<Value>
    : never
type TopicSettings = { readonly [Key in TopicConfigKey]: SettingOf<TopicConfig[Key]> }

const SECOND_MS = 1_000
const DAY_MS = 24 * 60 * 60 * SECOND_MS
const KIB = 1024
const MIB = 1024 * KIB
const YEARS_MS = 100 * 365 * DAY_MS

export const TOPIC_SETTINGS: TopicSettings = {
  retentionMs: {
    kind: 'integer',
    unit: 'ms',
    default: 7 * DAY_MS,
    min: SECOND_MS,
    max: YEARS_MS,
    orNone: true,
    about:
      'Segments whose newest record was appended longer ago are deleted. A week covers a holiday; -1 keeps for ever.',
  },
  retentionBytes: {
    kind: 'integer',
    unit: 'bytes',
    default: -1,
    min: 0,
    max: 2 ** 50,
    orNone: true,
    about:
      'Oldest segments of a partition go while the rest is larger. Off: age bounds a log, the disk watermarks guard it.',
  },
  segmentBytes: {
    kind: 'integer',
    unit: 'bytes',
    default: 64 * MIB,
    min: 64 * KIB,
    max: 1024 * MIB,
    orNone: false,
    about:
      'A segment is closed at this size. Retention frees whole segments, so smaller ones free sooner; 64 MiB is one bulk read ' +
      'or copy of tens of milliseconds, and keeps a terabyte under 20 000 files.',
  },
  segmentMs: {
    kind: 'integer',
    unit: 'ms',
    default: DAY_MS,
    min: SECOND_MS,
    max: YEARS_MS,
    orNone: false,
    about: 'A segment is closed at this age. It adds to how long records outlive retentionMs: a day on a week.',
  },
  cleanup: {
    kind: 'choice',
    default: 'delete',
    choices: ['delete', 'compact', 'both'],
    about:
      'Whether old records go by age and size, by a newer record of the same key, or by both. Where they go by key, every ' +
      'record must have one.',
  },
  deleteRetentionMs: {
    kind: 'integer',
    unit: 'ms',
    default: DAY_MS,
    min: 0,
    max: YEARS_MS,
    orNone: false,
    about: 'How long compaction keeps a tombstone, so that a reader a day behind still sees the deletion.',
  },
  minInSyncReplicas: {
    kind: 'integer',
    unit: 'replicas',
    default: 2,
    min: 1,
    max: 7,
    orNone: false,
    about:
      'Replicas that must have a record before it is acknowledged. Where no value is given, two, or as many replicas as are ' +
      'in force if fewer; a value given is held to.',
  },
  recordBytesMax: {
    kind: 'integer',
    unit: 'bytes',
    default: limits.RECORD_BYTES_MAX,
    min: 1,
    max: limits.RECORD_BYTES_MAX,
    orNone: false,
    about: 'Key, value and headers of one record together. A batch, the unit of every step, holds at least one.',
  },
  replicaLagMessagesMax: {
    kind: 'integer',
    unit: 'records',
    default: -1,
    min: 1,
    max: Number.MAX_SAFE_INTEGER,
    orNone: true,
    about: 'A follower further behind for replicaLagMsMax leaves the in-sync set. Off: a burst is no reason to leave.',
  },
  replicaLagMsMax: {
    kind: 'integer',
    unit: 'ms',
    default: 10 * SECOND_MS,
    min: SECOND_MS,
    max: 60 * 60 * SECOND_MS,
    orNone: false,
    about:
      'A follower that has not caught up for so long leaves the in-sync set: longer than a pause, shorter than a patience.',
  },
  flush: {
    kind: 'choice',
    default: 'group',
    choices: ['group', 'os'],
    about:
      '"group": acknowledged when synced to disk, many records with one sync. "os": acknowledged when the operating system ' +
      'has it, which a power loss can take away.',
  },
  compression: {
    kind: 'choice',
    default: 'producer',
    choices: ['producer', 'none', 'gzip', 'zstd'],
    about:
      'Of batches the broker builds: "producer" and "none" leave them as they are. Batches sent as such are always kept as sent.',
  },
  idempotencyMs: {
    kind: 'integer',
    unit: 'ms',
    default: DAY_MS,
    min: SECOND_MS,
    max: 30 * DAY_MS,
    orNone: false,
    about: 'How long a repeat is recognised by its Idempotency-Key or producer sequence: a day covers a retry by hand.',
  },
}

export const TOPIC_CONFIG_KEYS = Object.keys(TOPIC_SETTINGS) as TopicConfigKey[]

export interface ResolvedTopicConfig {
  config: Readonly<TopicConfig>
  sources: Readonly<Record<TopicConfigKey, TopicConfigSource>>
}

export function resolveTopicConfig(
  patch: TopicConfigPatch,
  brokerDefaults: TopicConfigPatch = {},
): ResolvedTopicConfig {
  const config: Partial<Record<TopicConfigKey, number | string>> = {}
  const sources: Partial<Record<TopicConfigKey, TopicConfigSource>> = {}
  for (const key of TOPIC_CONFIG_KEYS) {
    const source = patch[key] !== undefined ? 'topic' : brokerDefaults[key] !== undefined ? 'broker' : 'default'
    sources[key] = source
    config[key] = patch[key] ?? brokerDefaults[key] ?? TOPIC_SETTINGS[key].default
  }
  return { config: config as TopicConfig, sources: sources as Record<TopicConfigKey, TopicConfigSource> }
}

/** The default gives way where there are fewer replicas; a value that somebody chose does not. */
export function minInSyncReplicasInForce(resolved: ResolvedTopicConfig, replicasInForce: number): number {
  const wanted = resolved.config.minInSyncReplicas
  return resolved.sources.minInSyncReplicas === 'default' ? Math.min(wanted, replicasInForce) : wanted
}
