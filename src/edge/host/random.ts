import { randomFillSync } from 'node:crypto'
import type { Random } from '../../core/ports/index.ts'

export const hostRandom: Random = {
  u32: () => randomFillSync(new Uint32Array(1))[0]!,
  fill: (into) => void randomFillSync(into),
}
