// A broker and its pushing side in virtual time, and sockets made of nothing: the test says how much each takes.

import type { ServerWebSocket } from 'bun'
import { Broker } from '../../../src/core/broker/index.ts'
import { hostCodec } from '../../../src/edge/host/index.ts'
import { Push } from '../../../src/edge/push/index.ts'
import { ServerMessageShape } from '../../../src/edge/wire/push-messages.ts'
import { SimClock } from '../../sim/clock.ts'
import { SimDisk } from '../../sim/disk.ts'
import { SimRandom } from '../../sim/random.ts'

const HEARTBEAT_MS = 15_000
export const SLOW_MS = 30_000

export interface Message {
  readonly op: string
  readonly [member: string]: unknown
}

export interface PushedRecord {
  readonly partition: number
  readonly offset: number
  readonly value: unknown
}

const noMeter = {
  counter: () => ({ add: () => {} }),
  gauge: () => {},
  histogram: () => ({ observe: () => {} }),
}

export class PushRig {
  readonly clock = new SimClock()
  readonly disk = new SimDisk(this.clock)
  readonly broker: Broker
  readonly push: Push

  constructor(seed = 1, connectionsMax = 1_000) {
    const failed = (event: string, fields: unknown): never => {
      throw new Error(`${event}: ${JSON.stringify(fields)}`)
    }
    const events = { info: () => {}, warn: () => {}, error: failed }
    const starting = Broker.start({
      disk: this.disk,
      clock: this.clock,
      random: new SimRandom(seed, 'broker'),
      codec: hostCodec,
      meter: noMeter,
      events,
      settings: {
        autoCreateTopics: true,
        topicDefaults: { partitions: 1, replicationFactor: 3, config: {} },
        foreignFiles: [],
      },
      halt: (why, error) => {
        throw new Error(why, { cause: error })
      },
    })
    this.broker = this.clock.run(starting)
    this.push = new Push({
      broker: this.broker,
      clock: this.clock,
      meter: noMeter,
      events,
      nodeId: 7,
      connectionsMax,
      slowMs: SLOW_MS,
      heartbeatMs: HEARTBEAT_MS,
      idleS: 60,
    })
  }

  createTopic(name: string, partitions = 1, config: Record<string, unknown> = {}): void {
    const reply = this.clock.run(this.broker.submit({ kind: 'create-topic', name, partitions, config, isAuto: false }))
    if (reply.kind !== 'created') throw new Error(JSON.stringify(reply))
  }

  /** A socket that has connected; it takes what it is given until told otherwise. */
  connect(): FakeSocket {
    const socket = new FakeSocket(this)
    void this.push.websocket.open!(socket.raw)
    this.settle()
    return socket
  }

  /** Lets all that is due now happen. */
  settle(): void {
    this.clock.pass(5)
  }

  pass(ms: number): void {
    this.clock.pass(ms)
  }

  /** What one partition has, one socket after another having produced it. */
  produce(topic: string, values: readonly unknown[], partition = 0): void {
    const socket = this.connect()
    socket.say({ op: 'produce', id: 'p', topic, partition, records: values.map((value) => ({ value })) })
    this.settle()
    const answer = socket.last('produced')
    if (answer === undefined) throw new Error(`not produced: ${JSON.stringify(socket.messages)}`)
    socket.hangUp()
  }

  /** Reads of the log while `run` runs. */
  readsDuring(run: () => void): number {
    let reads = 0
    this.disk.onCall = ({ kind, path }) => {
      if ((kind === 'read' || kind === 'read-cold') && path.endsWith('.log')) reads++
    }
    run()
    this.disk.onCall = null
    return reads
  }
}

type Raw = ServerWebSocket<{ socket: never }>

export class FakeSocket {
  readonly messages: Message[] = []
  readonly texts: string[] = []
  closed: { code: number; reason: string } | null = null
  isPaused = false
  /** Bytes the kernel takes before more is buffered. */
  roomBytes = Number.POSITIVE_INFINITY
  /** Buffered beyond that; above the limit frames are dropped. */
  bufferedBytes = 0
  bufferBytesMax = Number.POSITIVE_INFINITY
  /** System calls: a cork is one, and so is a send outside of one. */
  sends = 0
  readonly raw: Raw
  readonly #rig: PushRig
  #isCorked = false

  constructor(rig: PushRig) {
    this.#rig = rig
    const raw = {
      data: { socket: null },
      sendText: (text: string) => this.#take(text),
      cork: (send: () => void) => {
        this.sends++
        this.#isCorked = true
        send()
        this.#isCorked = false
      },
      getBufferedAmount: () => this.bufferedBytes,
      close: (code: number, reason: string) => this.#end(code, reason),
      pause: () => {
        this.isPaused = true
      },
      resume: () => {
        this.isPaused = false
      },
    }
    this.raw = raw as unknown as Raw
  }

  say(message: object | string): void {
    void this.#rig.push.websocket.message!(this.raw, typeof message === 'string' ? message : JSON.stringify(message))
  }

  /** Says it, lets it happen, and gives the messages that came of it. */
  ask(message: object | string): Message[] {
    const from = this.messages.length
    this.say(message)
    this.#rig.settle()
    return this.messages.slice(from)
  }

  sayBinary(): void {
    void this.#rig.push.websocket.message!(this.raw, Buffer.from('{}'))
  }

  /** The client reads so much of what was buffered, and there is room for as much more. */
  read(bytes: number): void {
    this.roomBytes += Math.max(0, bytes - this.bufferedBytes)
    this.bufferedBytes = Math.max(0, this.bufferedBytes - bytes)
    if (this.closed === null) void this.#rig.push.websocket.drain!(this.raw)
  }

  hangUp(): void {
    if (this.closed === null) this.#end(1006, '')
  }

  of(op: string): Message[] {
    return this.messages.filter((message) => message.op === op)
  }

  last(op: string): Message | undefined {
    return this.of(op).at(-1)
  }

  /** All that came for a subscription. */
  records(sub: string): PushedRecord[] {
    return this.of('records')
      .filter((message) => message['sub'] === sub)
      .flatMap((message) => message['records'] as PushedRecord[])
  }

  values(sub: string): unknown[] {
    return this.records(sub).map(({ value }) => value)
  }

  #take(text: string): number {
    if (this.closed !== null) return 0
    const bytes = Buffer.byteLength(text)
    if (this.bufferedBytes > this.bufferBytesMax) return 0
    if (!this.#isCorked) this.sends++
    this.texts.push(text)
    this.messages.push(ServerMessageShape.parse(JSON.parse(text)) as Message)
    const taken = Math.min(bytes, this.roomBytes)
    this.roomBytes -= taken
    this.bufferedBytes += bytes - taken
    return taken === bytes ? bytes : -1
  }

  #end(code: number, reason: string): void {
    this.closed = { code, reason }
    void this.#rig.push.websocket.close!(this.raw, code, reason)
  }
}
