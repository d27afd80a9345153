// The members a record may have on the way in, and what to say of one it may not.

import { bodyFault, type BodyFault, pointerStep } from './body-fault.ts'
import { nearestName } from './nearest-name.ts'

/** Numbers by which a reader notes what it has seen. */
export const Field = {
  key: 0,
  keyBase64: 1,
  value: 2,
  valueBase64: 3,
  tombstone: 4,
  headers: 5,
  tags: 6,
  timestamp: 7,
} as const

export type FieldNumber = (typeof Field)[keyof typeof Field]

export const FIELD_NAMES = Object.keys(Field) as readonly (keyof typeof Field)[]

const LATER = new Set(['deliverAt', 'delayMs', 'ttlMs'])
/** What a record has on the way out: it is often sent back as it came. */
const SET_BY_BROKER = new Set(['topic', 'partition', 'offset', 'appendedAt'])

/** -1: not a field. */
export function fieldNamed(name: string): number {
  return FIELD_NAMES.indexOf(name as keyof typeof Field)
}

export function unknownFieldFault(name: string): BodyFault {
  const pointer = pointerStep(name)
  if (LATER.has(name)) return bodyFault('unsupported', pointer, `${name} is not supported yet`)
  if (SET_BY_BROKER.has(name)) {
    return bodyFault('invalid', pointer, `${name} is not the sender's to set: leave it out`)
  }
  const near = nearestName(name, FIELD_NAMES)
  const hint = near === null ? `a record has ${FIELD_NAMES.join(', ')}` : `did you mean ${near}?`
  return bodyFault('invalid', pointer, `unknown field: ${hint}`)
}
