// The members a record may have on the way in, and what to say of one it may not.

import { bodyFault, type BodyFault, pointerStep } from './body-fault.ts'

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
  const near = nearestField(name)
  const hint = near === null ? `a record has ${FIELD_NAMES.join(', ')}` : `did you mean ${near}?`
  return bodyFault('invalid', pointer, `unknown field: ${hint}`)
}

function nearestField(name: string): string | null {
  const plain = name.replaceAll(/[_-]/g, '').toLowerCase()
  let nearest: string | null = null
  let nearestEdits = 3
  for (const field of FIELD_NAMES) {
    const edits = editDistance(plain, field.toLowerCase())
    if (edits < nearestEdits && edits < field.length - 1) {
      nearest = field
      nearestEdits = edits
    }
  }
  return nearest
}

/** Insertions, deletions and replacements between two short words. */
function editDistance(a: string, b: string): number {
  if (a.length > 32) return a.length
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1))
    }
    row = next
  }
  return row[b.length]!
}
