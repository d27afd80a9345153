export interface LogConfig {
  /** A segment is sealed before a batch that would make it longer. */
  readonly segmentBytes: number
  /** … and when its first batch is older; -1: never. */
  readonly segmentMs: number
  /** Old records go by age and size, by a newer record of their key, or by both. */
  readonly cleanup: 'delete' | 'compact' | 'both'
  /** How long compaction keeps a tombstone that it has passed. */
  readonly deleteRetentionMs: number
  /** -1: kept for ever. */
  readonly retentionMs: number
  /** -1: no bound. */
  readonly retentionBytes: number
  /** `group`: acknowledged when synced. `os`: when in the page cache, which a power loss may take. */
  readonly flush: 'group' | 'os'
}
