// Who is not let in, and what it is told: over real sockets, with a client that says whatever it likes.

import { describe, expect, test } from 'bun:test'
import { createHmac } from 'node:crypto'
import { hostClock, hostRandom } from '../../../src/edge/host/index.ts'
import { introduce, PEER_PATH } from '../../../src/edge/peer/index.ts'
import { Dialing } from '../../../src/edge/peer/handshake.ts'
import type { HelloLane, PeerIdentity } from '../../../src/edge/peer/hello.ts'
import { CLUSTER, type PeerNode, SECRET, soon, withNodes } from './peer-rig.ts'

const stranger: PeerIdentity = { clusterId: CLUSTER, nodeId: 7, directoryId: 'folder-7', address: 'http://127.0.0.1:1' }
const NONCE = 'n'.repeat(64)

interface Said {
  texts: string[]
  code: number
  reason: string
}

/** Opens a socket, sends `first`, answers every text by `answer`, until it is closed. */
function speak(
  node: PeerNode,
  first: string | Uint8Array,
  answer: (text: string) => string | Uint8Array | null,
): Promise<Said> {
  return new Promise((resolve) => {
    const url = node.address.replace('http', 'ws') + PEER_PATH
    const socket = new WebSocket(url, ['naru.peer'])
    const texts: string[] = []
    socket.addEventListener('open', () => socket.send(first))
    socket.addEventListener('message', ({ data }: MessageEvent<string>) => {
      texts.push(data)
      const said = answer(data)
      if (said !== null) socket.send(said)
    })
    socket.addEventListener('close', ({ code, reason }) => resolve({ texts, code, reason }))
  })
}

function handshake(node: PeerNode, self: PeerIdentity, secret = SECRET, lane: HelloLane = 'control'): Promise<Said> {
  const dialing = new Dialing(self, secret, lane, NONCE)
  return speak(node, dialing.hello, (text) => {
    const step = dialing.receive(text)
    return step.kind === 'send' ? step.text : null
  })
}

/** As a lane that stands, then this. */
function lane(node: PeerNode, frame: Uint8Array | string): Promise<Said> {
  const dialing = new Dialing(stranger, SECRET, 'control', NONCE)
  return speak(node, dialing.hello, (text) => {
    const step = dialing.receive(text)
    return step.kind === 'send' ? step.text : frame
  })
}

const hello = (more: object) =>
  JSON.stringify({ kind: 'hello', versions: [1], lane: 'control', ...stranger, nonce: NONCE, ...more })

/** Of a dialer that takes any challenge. */
function dialerProof(said: string, challenge: string): string {
  return createHmac('sha256', SECRET).update(`naru peer dialer\n${said}\n${challenge}`).digest('hex')
}

describe('is refused', () => {
  const first: [string, string | Uint8Array, number, string][] = [
    ['garbage', 'GET / HTTP/1.1', 4400, 'no hello'],
    ['JSON of another kind', '{"op":"hello"}', 4400, 'no hello'],
    ['bytes before a handshake', new Uint8Array([0, 1, 2]), 4400, 'first a handshake'],
    [
      'a later version',
      hello({ versions: [2, 3] }),
      4426,
      'peer protocol 1 is spoken here, not 2, 3: run the same version',
    ],
    ['a lane there is not', hello({ lane: 'express' }), 4400, 'no hello'],
    ['a node id that is none', hello({ nodeId: 0 }), 4400, 'no hello'],
    ['a hello without end', `{"kind":"hello","nonce":"${'x'.repeat(300_000)}"}`, 4400, 'handshake only'],
  ]
  test.each(first)('%s', (_, said, code, reason) =>
    withNodes(async (make) => {
      const closed = await speak(make(1).start(), said, () => null)
      expect(closed.code).toBe(code)
      expect(closed.reason).toContain(reason)
      expect(closed.texts).toEqual([])
    }),
  )

  test('who does not know the secret, and it is told nothing else', () =>
    withNodes(async (make) => {
      const node = make(1).start()
      const wrong = speak(node, hello({ clusterId: 'other' }), () => 'a'.repeat(64))
      expect(await wrong).toMatchObject({ code: 4401, reason: expect.stringContaining('--cluster-secret-file') })
      expect(node.transport.upCount).toBe(0)
    }))

  const identities: [string, Partial<PeerIdentity>, number, string][] = [
    ['a broker of another cluster', { clusterId: 'cluster-b' }, 4409, 'join with an empty one'],
    ['a broker that is in no cluster and wants a lane', { clusterId: null }, 4409, 'join with an empty one'],
    ['a broker without a folder', { directoryId: null }, 4400, 'data folder'],
    ['the node id of the broker itself', { nodeId: 1 }, 4409, 'take another --node-id'],
    ['a node id of another data folder', { nodeId: 5 }, 4409, 'take another --node-id'],
    ['the broker itself', { nodeId: 1, directoryId: 'folder-1' }, 4411, 'itself'],
  ]
  test.each(identities)('%s', (_, identity, code, reason) =>
    withNodes(async (make) => {
      const node = make(1, { directoryOf: (nodeId) => (nodeId === 5 ? 'folder-5' : null) }).start()
      const text = hello(identity)
      const said = await speak(node, text, (challenge) =>
        dialerProof(text, challenge.slice(challenge.indexOf('\n') + 1)),
      )
      expect(said.code).toBe(code)
      expect(said.reason).toContain(reason)
      expect(said.reason.length).toBeLessThanOrEqual(123)
    }),
  )

  test('a node id that is up with another data folder', () =>
    withNodes(async (make) => {
      const node = make(1).start()
      const two = make(2, { seeds: [node.address] }).start()
      await soon(() => node.transport.upCount === 1 && two.transport.upCount === 1)
      const said = await handshake(node, { ...stranger, nodeId: 2 })
      expect(said).toMatchObject({
        code: 4409,
        reason: expect.stringContaining('node id 2 belongs to another data folder'),
      })
      expect(node.transport.upCount).toBe(1)
    }))

  const frames: [string, Uint8Array | string, string][] = [
    ['text on a lane', 'hello again', 'handshake only'],
    ['a frame too large', new Uint8Array(256 * 1024 + 1), 'a frame has at most'],
    ['a frame too short', new Uint8Array(1), 'no frame'],
    ['an unknown subject', new Uint8Array([77, 1, 0]), 'run the same version'],
    ['unknown flags', new Uint8Array([0, 2, 0]), 'no frame'],
  ]
  test.each(frames)('%s', (_, frame, reason) =>
    withNodes(async (make) => {
      const said = await lane(make(1).start(), frame)
      expect(said.code).toBe(4400)
      expect(said.reason).toContain(reason)
    }),
  )
})

describe('a dialer refuses', () => {
  const world = { clock: hostClock, random: hostRandom, secret: SECRET, trusted: null }
  const joiner: PeerIdentity = { clusterId: null, nodeId: 7, directoryId: null, address: 'http://127.0.0.1:1' }

  test('an acceptor that does not know the secret', () =>
    withNodes(async (make) => {
      const node = make(1, { secret: 'another secret than theirs' }).start()
      const met = await introduce(world, joiner, node.address)
      expect(met).toMatchObject({ kind: 'refused', refused: { code: 4401 } })
    }))

  test('a cluster that is not that of its data folder', () =>
    withNodes(async (make) => {
      const node = make(1).start()
      const met = await introduce(world, { ...joiner, clusterId: 'cluster-b', directoryId: 'f' }, node.address)
      expect(met).toMatchObject({ kind: 'refused', refused: { code: 4409 } })
    }))

  test('nobody', async () => {
    const met = await introduce(world, joiner, 'http://127.0.0.1:1')
    expect(met).toMatchObject({ kind: 'refused', refused: { reason: expect.stringContaining('nobody listens') } })
  })

  test('but who has not joined yet is told the cluster and who is in it', () =>
    withNodes(async (make) => {
      const node = make(1).start()
      const other = make(2, { seeds: [node.address] }).start()
      await soon(() => node.transport.upCount === 1)
      const met = await introduce(world, joiner, node.address)
      expect(met).toEqual({
        kind: 'met',
        peer: { clusterId: CLUSTER, nodeId: 1, directoryId: 'folder-1', address: node.address },
        peers: [{ nodeId: 2, address: other.address }],
      })
      expect(node.transport.upCount).toBe(1)
    }))

  test('a broker with a wrong secret is complained of once, and let in when it has the right one', () =>
    withNodes(async (make) => {
      const node = make(1).start()
      const wrong = make(2, { seeds: [node.address], secret: 'another secret than theirs' }).start()
      await soon(() => wrong.complaints.length > 0)
      expect(wrong.complaints[0]).toContain('peer-refused')
      expect(wrong.complaints[0]).toContain('--cluster-secret-file')
      await wrong.end()
      make(2, { seeds: [node.address] }).start()
      await soon(() => node.transport.upCount === 1)
    }))
})
