import { describe, expect, test } from 'bun:test'
import {
  COPY_BYTES,
  COPY_POSITIONS,
  decodeStateFile,
  encodeState,
  replicaIdOf,
  type SavedState,
  STATE_FILE_BYTES,
} from '../../../src/core/raft/index.ts'
import { hostCodec } from '../../../src/edge/host/index.ts'

const replica = replicaIdOf(3, 'abcdefghij234567klmn')
const old: SavedState = { replica, sequence: 8, vote: { term: 4, votedFor: null } }
const young: SavedState = { replica, sequence: 9, vote: { term: 5, votedFor: replicaIdOf(1, 'zz') } }

function file(first: SavedState | null, second: SavedState | null): Uint8Array {
  const bytes = new Uint8Array(STATE_FILE_BYTES)
  if (first !== null) bytes.set(encodeState(first, hostCodec), COPY_POSITIONS[0])
  if (second !== null) bytes.set(encodeState(second, hostCodec), COPY_POSITIONS[1])
  return bytes
}

const decode = (bytes: Uint8Array) => decodeStateFile(bytes, hostCodec)

describe('state file', () => {
  test('both copies good', () => expect(decode(file(young, young))).toEqual({ kind: 'found', state: young, mend: [] }))

  test('between the two copies of a save the newer counts', () => {
    expect(decode(file(young, old))).toEqual({ kind: 'found', state: young, mend: [1] })
    expect(decode(file(old, young))).toEqual({ kind: 'found', state: young, mend: [0] })
  })

  test('one copy is enough', () => {
    expect(decode(file(young, null))).toEqual({ kind: 'found', state: young, mend: [1] })
    expect(decode(file(null, young))).toEqual({ kind: 'found', state: young, mend: [0] })
  })

  test('never saved', () => {
    expect(decode(new Uint8Array(0))).toEqual({ kind: 'absent' })
    expect(decode(new Uint8Array(STATE_FILE_BYTES))).toEqual({ kind: 'absent' })
  })

  test('every flipped bit of one copy is seen, and the other copy holds', () => {
    const good = file(young, young)
    for (let bit = 0; bit < COPY_BYTES * 8; bit += 7) {
      const bytes = good.slice()
      bytes[bit >> 3]! ^= 1 << (bit & 7)
      expect(decode(bytes)).toEqual({ kind: 'found', state: young, mend: [0] })
    }
  })

  test('a save torn at any byte leaves the old state or the new, never a mixture', () => {
    const next = encodeState(young, hostCodec)
    for (let kept = 0; kept <= COPY_BYTES; kept++) {
      const bytes = file(old, old)
      bytes.set(next.subarray(0, kept), COPY_POSITIONS[0])
      const found = decode(bytes)
      expect(found.kind).toBe('found')
      if (found.kind === 'found') expect([old, young]).toContainEqual(found.state)
    }
  })

  test('a file cut short still has its first copy; nothing readable is damage', () => {
    expect(decode(file(young, young).subarray(0, 4096))).toEqual({ kind: 'found', state: young, mend: [1] })
    expect(decode(file(young, young).subarray(0, 100))).toEqual({ kind: 'damaged' })
    const bytes = file(young, young)
    bytes[20]! ^= 1
    bytes[COPY_POSITIONS[1] + 20]! ^= 1
    expect(decode(bytes)).toEqual({ kind: 'damaged' })
  })

  test('the stored form is what it was', () => {
    const bytes = encodeState(young, hostCodec)
    expect(Buffer.from(bytes.subarray(0, 60)).toString('hex')).toMatchInlineSnapshot(
      `"4e525654fcddc6c60900000000000000050000000000000004001600312e7a7a332e6162636465666768696a3233343536376b6c6d6e000000000000"`,
    )
  })
})
