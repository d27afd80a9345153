// Brokers that find each other, speak, lose and find each other again, over real sockets.

import { describe, expect, test } from 'bun:test'
import { PEER_MESSAGE_BYTES_MAX } from '../../../src/core/ports/index.ts'
import { PeerNode, soon, withNodes } from './peer-rig.ts'

const areUp = (a: PeerNode, b: PeerNode) => soon(() => a.transport.upCount === 1 && b.transport.upCount === 1)

describe('brokers meet', () => {
  test.each([
    ['the larger id knows the smaller', 1, 2],
    ['the smaller id knows the larger', 2, 1],
  ])('when %s', (_, seedId, joinerId) =>
    withNodes(async (make) => {
      const seed = make(seedId).start()
      const joiner = make(joinerId, { seeds: [seed.address] }).start()
      await areUp(seed, joiner)
      for (const lane of ['control', 'bulk'] as const) {
        expect(joiner.text(seedId, lane, `${lane} in`)).toBe(true)
        expect(seed.text(joinerId, lane, `${lane} out`)).toBe(true)
      }
      await soon(() => seed.received.length === 2 && joiner.received.length === 2)
      expect(seed.texts.toSorted()).toEqual([`${joinerId}: bulk in`, `${joinerId}: control in`])
      expect(joiner.texts.toSorted()).toEqual([`${seedId}: bulk out`, `${seedId}: control out`])
      expect(seed.received[0]!.from).toEqual({ nodeId: joinerId, directoryId: `folder-${joinerId}` })
      expect(seed.news).toEqual([`up ${joinerId}`])
    }),
  )

  test('all of them, through one that all know; a list that names oneself is fine', () =>
    withNodes(async (make) => {
      const first = make(1)
      const seeds = [first.address]
      const nodes = [first, make(2, { seeds }), make(3, { seeds }), make(4, { seeds })]
      nodes.push(new PeerNode(5, { seeds }))
      for (const node of nodes) node.start()
      try {
        await soon(() => nodes.every(({ transport }) => transport.upCount === 4))
      } finally {
        await nodes[4]!.end()
      }
      expect(first.complaints.filter((line) => line.includes('itself'))).toEqual([])
    }))

  test('who listens later is told who is up', () =>
    withNodes(async (make) => {
      const seed = make(1).start()
      const other = make(2, { seeds: [seed.address] }).start()
      await areUp(seed, other)
      const told: number[] = []
      seed.transport.listen('heartbeat', { onMessage() {}, onUp: ({ nodeId }) => void told.push(nodeId) })
      expect(told).toEqual([2])
    }))
})

describe('messages', () => {
  test('come whole and in order, whatever their size', () =>
    withNodes(async (make) => {
      const seed = make(1).start()
      const other = make(2, { seeds: [seed.address] }).start()
      await areUp(seed, other)
      const sizes = [0, 1, 262_141, 262_142, 262_143, 524_284, 1_000_000, PEER_MESSAGE_BYTES_MAX]
      for (const [i, size] of sizes.entries()) {
        const bytes = new Uint8Array(size).fill(i + 1)
        await soon(() => other.transport.send(1, 'bulk', 'replication', bytes))
      }
      await soon(() => seed.received.length === sizes.length)
      expect(seed.received.map(({ bytes }) => bytes.length)).toEqual(sizes)
      for (const [i, { bytes }] of seed.received.entries()) expect(bytes.every((byte) => byte === i + 1)).toBe(true)
    }))

  test('to nobody, or to one who is gone, are not sent', () =>
    withNodes(async (make) => {
      const seed = make(1).start()
      const other = make(2, { seeds: [seed.address] }).start()
      expect(seed.text(2, 'control', 'x')).toBe(false)
      await areUp(seed, other)
      other.transport.close()
      await soon(() => !seed.text(2, 'control', 'x'))
      expect(seed.news).toEqual(['up 2', 'down 2'])
    }))

  test('of control pass while bulk is as full as it gets', () =>
    withNodes(async (make) => {
      const seed = make(1).start()
      const other = make(2, { seeds: [seed.address] }).start()
      await areUp(seed, other)
      seed.onMessage = (from, bytes) => void seed.transport.send(from.nodeId, 'control', 'raft', bytes)
      const block = new Uint8Array(1 << 20)
      let refused = 0
      let slowestMs = 0
      const rounds = 30
      for (let round = 0; round < rounds; round++) {
        while (other.transport.send(1, 'bulk', 'replication', block)) continue
        refused++
        const sentAt = performance.now()
        expect(other.text(1, 'control', `beat ${round}`)).toBe(true)
        await soon(() => other.received.length === round + 1)
        slowestMs = Math.max(slowestMs, performance.now() - sentAt)
      }
      expect(refused).toBe(rounds)
      expect(slowestMs).toBeLessThan(1_000)
      expect([seed.news, other.news]).toEqual([['up 2'], ['up 1']])
    }))
})

describe('brokers that lost each other', () => {
  test('find each other again: one that was started anew elsewhere too', () =>
    withNodes(async (make) => {
      const first = make(1).start()
      const second = make(2, { seeds: [first.address] }).start()
      await areUp(first, second)
      await second.end()
      await soon(() => first.transport.upCount === 0)
      const again = make(2, { seeds: [first.address] }).start()
      await areUp(first, again)
      expect(first.news).toEqual(['up 2', 'down 2', 'up 2'])
      expect(again.text(1, 'bulk', 'back')).toBe(true)
      await soon(() => first.texts.includes('2: back'))
    }))

  test.each([0, 1])('find each other again when one lane of the two is lost: %i', (lane) =>
    withNodes(async (make) => {
      const two = make(2).start()
      const one = make(1, { seeds: [two.address] }).start()
      await soon(() => one.news.length === 1 && two.news.length === 1)
      two.raws.at(-1 - lane)!.close(1012, 'lost')
      await soon(() => one.news.length === 3 && two.news.length === 3)
      expect(one.news).toEqual(['up 2', 'down 2', 'up 2'])
      expect(one.text(2, 'control', 'a') && one.text(2, 'bulk', 'b')).toBe(true)
      await soon(() => two.texts.length === 2)
    }),
  )

  test('where they were is kept in the data folder', () =>
    withNodes(async (make) => {
      const first = make(1).start()
      const second = make(2, { seeds: [first.address] }).start()
      await areUp(first, second)
      second.transport.close()
      const again = make(2, { folder: second.folder }).start()
      await soon(() => again.transport.upCount === 1)
    }))
})
