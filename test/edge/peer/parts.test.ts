// The parts of a connection on their own: proofs, frames, bounds, silence, attempts.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { type PeerSubject, PEER_MESSAGE_BYTES_MAX, peerSubjects } from '../../../src/core/ports/index.ts'
import { Attempts } from '../../../src/edge/peer/attempts.ts'
import { aliveFrame, Assembly, FRAME_BYTES_MAX, framesOf } from '../../../src/edge/peer/frames.ts'
import { Accepting, Dialing, type HandshakeStep } from '../../../src/edge/peer/handshake.ts'
import type { PeerIdentity } from '../../../src/edge/peer/hello.ts'
import type { Refused } from '../../../src/edge/peer/refused.ts'
import { type Established, type Handshake, PeerSocket, type RawSocket } from '../../../src/edge/peer/socket.ts'
import { SimClock } from '../../sim/clock.ts'
import { SimRandom } from '../../sim/random.ts'

const SECRET = 'correct horse battery staple'
const identity = (nodeId: number): PeerIdentity => ({
  clusterId: 'c',
  nodeId,
  directoryId: `folder-${nodeId}`,
  address: `http://broker-${nodeId}`,
})
const NONCES = ['a'.repeat(64), 'b'.repeat(64)] as const

function accepting(secret = SECRET, nonce: string = NONCES[1]): Accepting {
  return new Accepting({ self: identity(2), secret, refusalOf: () => null, peers: () => [] }, nonce)
}

function textOf(step: HandshakeStep): string {
  if (step.kind !== 'send') throw new Error(step.kind)
  return step.text
}

describe('a handshake', () => {
  test('never sends the secret, nor a proof twice', () => {
    const dialing = new Dialing(identity(1), SECRET, 'bulk', NONCES[0])
    const acceptor = accepting()
    const challenge = textOf(acceptor.receive(dialing.hello))
    const proof = textOf(dialing.receive(challenge))
    const done = acceptor.receive(proof)
    if (done.kind !== 'done') throw new Error(done.kind)
    expect(dialing.receive(done.text!)).toMatchObject({ kind: 'done', lane: 'bulk', peer: identity(2) })
    expect(done).toMatchObject({ lane: 'bulk', peer: identity(1) })
    for (const text of [dialing.hello, challenge, proof, done.text!]) expect(text).not.toContain(SECRET)
    expect(challenge.split('\n')[0]).not.toBe(proof)
  })

  test('a proof that was overheard is worth nothing another time', () => {
    const dialing = new Dialing(identity(1), SECRET, 'bulk', NONCES[0])
    const proof = textOf(dialing.receive(textOf(accepting().receive(dialing.hello))))
    const later = accepting(SECRET, 'c'.repeat(64))
    later.receive(dialing.hello)
    expect(later.receive(proof)).toMatchObject({ kind: 'refuse', refused: { code: 4401 } })
  })

  test('the acceptor cannot be made to prove in the place of the dialer', () => {
    const dialing = new Dialing(identity(1), SECRET, 'bulk', NONCES[0])
    const acceptor = accepting()
    const [proof] = textOf(acceptor.receive(dialing.hello)).split('\n')
    expect(acceptor.receive(proof!)).toMatchObject({ kind: 'refuse', refused: { code: 4401 } })
  })

  test('who changes a word on the way is found out', () => {
    fc.assert(
      fc.property(fc.nat(), fc.boolean(), (at, isHello) => {
        const dialing = new Dialing(identity(1), SECRET, 'bulk', NONCES[0])
        const acceptor = accepting()
        const change = (text: string): string => {
          const i = at % text.length
          return text.slice(0, i) + (text[i] === '1' ? '2' : '1') + text.slice(i + 1)
        }
        const greeted = acceptor.receive(isHello ? change(dialing.hello) : dialing.hello)
        if (greeted.kind === 'refuse') return
        const challenged = dialing.receive(isHello ? textOf(greeted) : change(textOf(greeted)))
        expect(challenged.kind).toBe('refuse')
      }),
      { numRuns: 300 },
    )
  })

  test('any text is refused, or answered: never more', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.string(), fc.json()), { maxLength: 4 }), (texts) => {
        const acceptor = accepting()
        for (const text of texts) expect(acceptor.receive(text).kind).not.toBe('done')
      }),
    )
  })
})

describe('frames', () => {
  test('come together again as the messages they were', () => {
    const size = fc.oneof(fc.nat(64), fc.integer({ min: FRAME_BYTES_MAX - 4, max: FRAME_BYTES_MAX + 4 }))
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constantFrom(...peerSubjects), size), { maxLength: 6 }), (messages) => {
        const assembly = new Assembly()
        const got: [PeerSubject, number][] = []
        for (const [subject, bytes] of messages) {
          for (const frame of framesOf(subject, new Uint8Array(bytes).fill(bytes & 255))) {
            expect(frame.length).toBeLessThanOrEqual(FRAME_BYTES_MAX)
            expect(assembly.take(aliveFrame)).toEqual({ kind: 'more' })
            const taken = assembly.take(frame)
            if (taken.kind !== 'message') continue
            expect(taken.bytes.every((byte) => byte === (bytes & 255))).toBe(true)
            got.push([taken.subject, taken.bytes.length])
          }
        }
        expect(got).toEqual(messages)
      }),
      { numRuns: 50 },
    )
  })

  test('any bytes are read, or called what they are', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 8 }), { maxLength: 8 }), (frames) => {
        const assembly = new Assembly()
        for (const frame of frames) expect(['message', 'more', 'garbage']).toContain(assembly.take(frame).kind)
      }),
    )
  })

  test('a message without end is given up', () => {
    const assembly = new Assembly()
    const part = new Uint8Array(FRAME_BYTES_MAX)
    let taken = assembly.take(part)
    let count = 1
    for (; taken.kind === 'more'; count++) taken = assembly.take(part)
    expect(taken).toMatchObject({ kind: 'garbage' })
    expect((count - 1) * FRAME_BYTES_MAX).toBeLessThanOrEqual(PEER_MESSAGE_BYTES_MAX + FRAME_BYTES_MAX)
  })
})

class FakeRaw implements RawSocket {
  buffered = 0
  takes = true
  readonly sent: (string | number)[] = []
  closedWith: number | null = null

  sendText(text: string): void {
    this.sent.push(text)
  }

  sendBytes(bytes: Uint8Array): boolean {
    if (this.takes) this.sent.push(bytes.length)
    return this.takes
  }

  bufferedBytes(): number {
    return this.buffered
  }

  close(code: number): void {
    this.closedWith = code
  }
}

/** A socket that is established by its first text. */
function socketOn(raw: FakeRaw): { socket: PeerSocket; closes: Refused[] } {
  const closes: Refused[] = []
  const done: Established = { kind: 'done', lane: 'bulk', peer: identity(2), peers: [], text: null }
  const handshake: Handshake = { receive: () => done }
  const socket = new PeerSocket(
    raw,
    handshake,
    { onEstablished() {}, onMessage() {}, onClosed: (_, refused) => void closes.push(refused) },
    0,
  )
  socket.text('x', 0)
  return { socket, closes }
}

describe('a socket', () => {
  test('takes no more than it may keep, and goes on when that is sent', () => {
    const raw = new FakeRaw()
    const { socket, closes } = socketOn(raw)
    raw.buffered = 6 << 20
    expect(socket.send('replication', new Uint8Array(10), 0)).toBe(false)
    expect([raw.sent, closes]).toEqual([[], []])
    raw.buffered = 0
    expect(socket.send('replication', new Uint8Array(PEER_MESSAGE_BYTES_MAX), 0)).toBe(true)
    expect(closes).toEqual([])
  })

  test('that drops a frame is closed', () => {
    const raw = new FakeRaw()
    const { socket, closes } = socketOn(raw)
    raw.takes = false
    expect(socket.send('raft', new Uint8Array(10), 0)).toBe(false)
    expect(raw.closedWith).toBe(1013)
    expect(closes).toHaveLength(1)
    expect(socket.send('raft', new Uint8Array(10), 0)).toBe(false)
  })

  test('gives signs of life, and up on who gives none', () => {
    const raw = new FakeRaw()
    const { socket, closes } = socketOn(raw)
    for (let now = 1_000; now < 8_000; now += 1_000) socket.look(now)
    expect(raw.sent).toEqual([2, 2, 2])
    expect(closes).toEqual([])
    socket.bytes(aliveFrame, 7_900)
    socket.look(15_800)
    expect(closes).toEqual([])
    socket.look(15_900)
    expect(closes).toMatchObject([{ code: 4408 }])
  })

  test('a handshake takes no longer than that', () => {
    const raw = new FakeRaw()
    const closes: Refused[] = []
    const owner = { onEstablished() {}, onMessage() {}, onClosed: (_: PeerSocket, r: Refused) => void closes.push(r) }
    const socket = new PeerSocket(raw, accepting(), owner, 0)
    socket.look(7_999)
    expect(closes).toEqual([])
    socket.look(8_000)
    expect(closes).toMatchObject([{ code: 4408 }])
    expect(raw.sent).toEqual([])
  })
})

test('attempts come ever later, never in step, and soon again when it went well', () => {
  const clock = new SimClock()
  const attempts = new Attempts(clock, new SimRandom(1, 'attempts'))
  const gaps: number[] = []
  const next = (): number => {
    const from = clock.monotonic()
    let at = -1
    attempts.later('x', () => {
      at = clock.monotonic()
    })
    attempts.later('x', () => {
      throw new Error('one is pending')
    })
    clock.pass(5_001)
    return at - from
  }
  for (let i = 0; i < 12; i++) gaps.push(next())
  for (const [i, gap] of gaps.entries()) {
    const whole = Math.min(100 * 2 ** i, 5_000)
    expect(gap).toBeGreaterThanOrEqual(whole / 2)
    expect(gap).toBeLessThanOrEqual(whole)
  }
  expect(new Set(gaps.slice(-5)).size).toBeGreaterThan(1)
  attempts.forget('x')
  expect(next()).toBeLessThanOrEqual(100)
})
