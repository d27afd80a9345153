// What a power loss makes of everything that was not synced: all lost, all kept, or a mixture by seed.

import type { SimRandom } from './random.ts'

export type Fate = 'lost' | 'kept' | 'torn'

/** What a power loss does to each thing that was not synced. */
export interface Outcome {
  write(): Fate
  /** Whether a lost write leaves the file longer all the same, and over what. */
  growth(): 'none' | 'zeros' | 'stale'
  truncate(): Exclude<Fate, 'torn'>
  name(): Exclude<Fate, 'torn'>
  /** Of a torn write. */
  sector(): Exclude<Fate, 'torn'>
}

export const allLost: Outcome = {
  write: () => 'lost',
  growth: () => 'none',
  truncate: () => 'lost',
  name: () => 'lost',
  sector: () => 'lost',
}

export const allKept: Outcome = {
  write: () => 'kept',
  growth: () => 'none',
  truncate: () => 'kept',
  name: () => 'kept',
  sector: () => 'kept',
}

export function randomOutcome(random: SimRandom): Outcome {
  const coin = () => (random.chance(0.5) ? ('kept' as const) : ('lost' as const))
  return {
    write: () => random.pick(['lost', 'kept', 'torn'] as const),
    growth: () => random.pick(['none', 'zeros', 'stale'] as const),
    truncate: coin,
    name: coin,
    sector: coin,
  }
}
