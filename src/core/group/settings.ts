// What a join asks for, within bounds, and whether it agrees with what the group's members have agreed on.

import { isName, limits } from '../base/index.ts'
import type { GroupBound, GroupRefusal, GroupSettings, Join, SettingDifference } from './commands.ts'
import { isSameList } from './partition-set.ts'

/** What belongs to the member alone. */
export interface MemberAsk {
  readonly topics: readonly string[]
  readonly static: string | null
  readonly sessionMs: number
  readonly pollMs: number
  readonly rebalanceMs: number
}

export const DEFAULT_SETTINGS: GroupSettings = {
  from: 'earliest',
  delivery: 'at-least-once',
  tags: [],
  assignor: 'sticky',
}

const BOUNDS: readonly (readonly [field: GroupBound, min: number, max: number])[] = [
  ['topics', 1, limits.GROUP_TOPICS_MAX],
  ['tags', 0, limits.BATCH_TAGS_MAX],
  ['sessionMs', limits.GROUP_SESSION_MS_MIN, limits.GROUP_SESSION_MS_MAX],
  ['pollMs', limits.GROUP_POLL_MS_MIN, limits.GROUP_POLL_MS_MAX],
  ['rebalanceMs', limits.GROUP_REBALANCE_MS_MIN, limits.GROUP_REBALANCE_MS_MAX],
]

export function memberAsk(join: Join): MemberAsk {
  return {
    topics: sorted(join.topics),
    static: join.static ?? null,
    sessionMs: join.sessionMs ?? limits.GROUP_SESSION_MS_DEFAULT,
    pollMs: join.pollMs ?? limits.GROUP_POLL_MS_DEFAULT,
    rebalanceMs: join.rebalanceMs ?? limits.GROUP_REBALANCE_MS_DEFAULT,
  }
}

/** Null: nothing is wrong with it. */
export function joinFault(join: Join): GroupRefusal | null {
  const names = [
    ['member', join.member],
    ...(join.static === undefined ? [] : [['static', join.static] as const]),
    ...join.topics.map((topic) => ['topics', topic] as const),
  ] as const
  for (const [field, name] of names) if (!isName(name)) return { kind: 'invalid-name', field, name }
  for (const [field, min, max] of BOUNDS) {
    const value = join[field]
    if (value === undefined) continue
    const given = typeof value === 'number' ? value : new Set(value).size
    if (!Number.isInteger(given) || given < min || given > max) return { kind: 'out-of-bounds', field, given, min, max }
  }
  return null
}

/** The same object where nothing given differs. */
export function mergedSettings(existing: GroupSettings, join: Join): GroupSettings {
  const merged = {
    from: join.from ?? existing.from,
    delivery: join.delivery ?? existing.delivery,
    tags: join.tags === undefined ? existing.tags : sorted(join.tags),
    assignor: join.assignor ?? existing.assignor,
  }
  return differences(existing, merged).length === 0 ? existing : merged
}

export function differences(existing: GroupSettings, given: GroupSettings): SettingDifference[] {
  const found: SettingDifference[] = []
  for (const field of ['from', 'delivery', 'tags', 'assignor'] as const) {
    const isSame = field === 'tags' ? isSameList(existing.tags, given.tags) : existing[field] === given[field]
    if (!isSame) found.push({ field, given: given[field], existing: existing[field] })
  }
  return found
}

function sorted(names: readonly string[]): string[] {
  return [...new Set(names)].sort()
}
