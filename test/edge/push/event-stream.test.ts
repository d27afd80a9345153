// Event streams in virtual time: what an EventSource is told, and where it goes on when it comes back.

import { expect, test } from 'bun:test'
import type { FetchStart } from '../../../src/core/broker/index.ts'
import { Problem } from '../../../src/edge/wire/index.ts'
import { EventShape } from '../../../src/edge/wire/push-messages.ts'
import { PushRig, SLOW_MS } from './push-rig.ts'

interface StreamEvent {
  event: string
  id: string | null
  data: Record<string, unknown>
}

class Reading {
  readonly events: StreamEvent[] = []
  retryMs = 0
  hasEnded = false
  error: unknown = null
  #text = ''
  readonly #reader: { read(): Promise<{ done: boolean; value?: Uint8Array | undefined }>; cancel(): Promise<void> }
  readonly #decoder = new TextDecoder()

  constructor(body: ReadableStream<Uint8Array>) {
    this.#reader = body.getReader()
  }

  /** Takes what comes from here on. */
  async readOn(chunksMax = Number.POSITIVE_INFINITY): Promise<void> {
    try {
      for (let chunks = 0; chunks < chunksMax; chunks++) {
        const { done, value } = await this.#reader.read()
        if (done) {
          this.hasEnded = true
          return
        }
        this.#take(this.#decoder.decode(value, { stream: true }))
      }
    } catch (error) {
      this.error = error
    }
  }

  cancel(): Promise<void> {
    return this.#reader.cancel()
  }

  of(event: string): StreamEvent[] {
    return this.events.filter((other) => other.event === event)
  }

  values(): unknown[] {
    return this.of('records').flatMap(({ data }) => (data['records'] as { value: unknown }[]).map(({ value }) => value))
  }

  #take(text: string): void {
    this.#text += text
    for (let end = this.#text.indexOf('\n\n'); end >= 0; end = this.#text.indexOf('\n\n')) {
      const lines = this.#text.slice(0, end).split('\n')
      this.#text = this.#text.slice(end + 2)
      const field = (name: string): string | null =>
        lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2) ?? null
      if (field('retry') !== null) {
        this.retryMs = Number(field('retry'))
        continue
      }
      const data = EventShape.parse(JSON.parse(field('data')!))
      expect(data.type).toBe(field('event') as typeof data.type)
      this.events.push({ event: field('event')!, id: field('id'), data })
    }
  }
}

function open(rig: PushRig, topics: string[], start: FetchStart = { kind: 'earliest' }): Reading {
  const response = rig.clock.run(rig.push.stream({ topics, partition: null, start, tags: null }))
  if (response instanceof Problem) throw new Error(response.detail)
  expect(response.status).toBe(200)
  expect(response.headers.get('content-type')).toBe('text/event-stream')
  return new Reading(response.body!)
}

function reading(rig: PushRig, topics: string[], start?: FetchStart): Reading {
  const stream = open(rig, topics, start)
  void stream.readOn()
  rig.settle()
  return stream
}

function cursorStart(rig: PushRig, topic: string, id: string): FetchStart {
  const [, offset] = /_0\.(\d+)/.exec(id)!
  return {
    kind: 'cursor',
    entries: [{ topicId: rig.broker.image.topicNamed(topic)!.id, partition: 0, offset: Number(offset), epoch: null }],
  }
}

test('a position first, then records, each with where to go on as its id', () => {
  const rig = new PushRig()
  rig.createTopic('t')
  rig.produce('t', [0, 1])
  const stream = reading(rig, ['t'])
  rig.produce('t', [2])
  expect(stream.retryMs).toBeGreaterThanOrEqual(1_000)
  expect(stream.events.map(({ event }) => event)).toEqual(['position', 'records', 'records'])
  for (const { id, data } of stream.events) expect(id).toBe(data['cursor'] as string)
  expect(stream.values()).toEqual([0, 1, 2])
  const again = reading(rig, ['t'], cursorStart(rig, 't', stream.events[1]!.id!))
  expect(again.values()).toEqual([2])
})

test('a position every heartbeat', () => {
  const rig = new PushRig()
  rig.createTopic('t')
  const stream = reading(rig, ['t'], { kind: 'latest' })
  rig.pass(45_000)
  expect(stream.events.map(({ event }) => event)).toEqual(['position', 'position', 'position', 'position'])
})

test('streams and sockets share what is read', () => {
  const rig = new PushRig()
  rig.createTopic('t')
  const streams = Array.from({ length: 20 }, () => reading(rig, ['t']))
  const socket = rig.connect()
  socket.ask({ op: 'subscribe', id: 's', topics: ['t'] })
  expect(rig.readsDuring(() => rig.produce('t', ['나루']))).toBe(1)
  for (const stream of streams) expect(stream.values()).toEqual(['나루'])
  expect(socket.values('s')).toEqual(['나루'])
})

test('a place that is gone is told by a reset whose id is where it goes on', () => {
  const rig = new PushRig()
  rig.createTopic('t')
  rig.produce('t', [0, 1, 2, 3])
  rig.clock.run(rig.broker.trim('t', 0, 2))
  const stream = reading(rig, ['t'], cursorStart(rig, 't', '_0.1'))
  expect(stream.events.map(({ event }) => event)).toEqual(['position', 'reset', 'records'])
  expect(stream.of('reset')[0]!.data).toMatchObject({ topic: 't', partition: 0, from: 1, to: 2 })
  expect(stream.values()).toEqual([2, 3])
})

test('a reader that is slow holds little, loses nothing, and is cut off when it takes nothing for long', () => {
  const rig = new PushRig()
  rig.createTopic('t')
  for (let i = 0; i < 30; i++) rig.produce('t', [i, 'x'.repeat(100_000)])
  const stream = open(rig, ['t'])
  void stream.readOn(2)
  rig.pass(1_000)
  const few = stream.values().length
  expect(few).toBeLessThan(20)
  void stream.readOn()
  rig.pass(1_000)
  expect(stream.values().filter((value) => typeof value === 'number')).toEqual(Array.from({ length: 30 }, (_, i) => i))
  const dead = open(rig, ['t'])
  rig.pass(SLOW_MS + 2_000)
  void dead.readOn()
  rig.settle()
  expect(dead.error).not.toBe(null)
  expect(stream.error).toBe(null)
})

test('what goes away leaves nothing behind', () => {
  const rig = new PushRig()
  rig.createTopic('t')
  const stream = reading(rig, ['t'])
  expect(rig.broker.status.waiters).toBe(1)
  rig.clock.run(stream.cancel())
  rig.settle()
  expect(rig.broker.status.waiters).toBe(0)
})

test('a topic that is deleted: a problem, and the end; asked again, it is a 404', () => {
  const rig = new PushRig()
  rig.createTopic('t')
  const stream = reading(rig, ['t'])
  rig.clock.run(rig.broker.submit({ kind: 'delete-topic', name: 't' }))
  rig.settle()
  expect(stream.of('problem')[0]!.data).toMatchObject({ problem: { code: 'unknown-topic' } })
  expect(stream.hasEnded).toBe(true)
  const refused = rig.clock.run(
    rig.push.stream({ topics: ['t'], partition: null, start: { kind: 'earliest' }, tags: null }),
  )
  expect(refused).toMatchObject({ code: 'unknown-topic', status: 404 })
})

test('the end of the broker: drain, and the end; who comes then is told to come back', () => {
  const rig = new PushRig()
  rig.createTopic('t')
  const stream = reading(rig, ['t'])
  rig.clock.run(rig.push.drain(3_000))
  rig.settle()
  expect(stream.events.at(-1)).toEqual({ event: 'drain', id: null, data: { type: 'drain', afterMs: 3_000 } })
  expect(stream.hasEnded).toBe(true)
  const late = reading(rig, ['t'])
  expect(late.events).toMatchObject([
    { event: 'problem', data: { problem: { code: 'shutting-down', retryable: true } } },
  ])
  expect([late.hasEnded, late.retryMs > 0]).toEqual([true, true])
})

test('too many connections: told in a stream, since anything else would end an EventSource', () => {
  const rig = new PushRig(1, 1)
  rig.createTopic('t')
  rig.connect()
  const stream = reading(rig, ['t'])
  expect(stream.events).toMatchObject([{ event: 'problem', data: { problem: { code: 'busy' } } }])
  expect(stream.hasEnded).toBe(true)
})
