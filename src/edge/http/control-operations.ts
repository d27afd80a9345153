// Every control operation there is.

import { clusterOperations } from './cluster.ts'
import { groupOffsetOperations } from './group-offsets.ts'
import { groupOperations } from './groups.ts'
import { plainOperations } from './operations.ts'
import { producerOperations } from './producers.ts'
import type { Operation } from './table.ts'
import { topicOperations } from './topics.ts'

export const controlOperations: readonly Operation[] = [
  ...topicOperations,
  ...producerOperations,
  ...groupOperations,
  ...groupOffsetOperations,
  ...plainOperations,
  ...clusterOperations,
]
