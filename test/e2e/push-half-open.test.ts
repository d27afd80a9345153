// A client that has vanished without a word: no bytes come, no ping is answered. The broker finds out by itself.

import { afterAll, expect, test } from 'bun:test'
import { Registry } from 'prom-client'
import { Broker } from '../../src/core/broker/index.ts'
import { HostDisk, hostClock, hostCodec, hostMeter, hostRandom } from '../../src/edge/host/index.ts'
import { Push } from '../../src/edge/push/index.ts'
import { scratchFolder, until } from './broker-process.ts'
import { Opcode, RawFrames } from './raw-frames.ts'

const scratch = scratchFolder('half-open')
const quiet = { info: () => {}, warn: () => {}, error: () => {} }
const meter = hostMeter(new Registry())
const broker = await Broker.start({
  disk: new HostDisk(scratch.folder),
  clock: hostClock,
  random: hostRandom,
  codec: hostCodec,
  meter,
  events: quiet,
  settings: {
    autoCreateTopics: true,
    topicDefaults: { partitions: 1, replicationFactor: 3, config: {} },
    foreignFiles: [],
  },
  halt: (why) => {
    throw new Error(why)
  },
})
// The shortest that Bun counts.
const push = new Push({
  broker,
  clock: hostClock,
  meter,
  events: quiet,
  nodeId: 1,
  connectionsMax: 10,
  slowMs: 60_000,
  heartbeatMs: 60_000,
  idleS: 8,
})
const server = Bun.serve({
  port: 0,
  fetch: (request, self) => (push.upgrade(request, undefined, self) === null ? undefined : new Response('no')),
  websocket: push.websocket,
})

afterAll(async () => {
  await server.stop(true)
  await broker.close()
  scratch.remove()
})

test('a silent socket is asked, and closed when it does not answer; one that answers stays', async () => {
  await broker.submit({ kind: 'create-topic', name: 't', isAuto: false })
  const [dead, alive] = await Promise.all([RawFrames.open(server.port!), RawFrames.open(server.port!)])
  for (const raw of [dead, alive]) raw.say({ op: 'subscribe', id: 's', topics: ['t'] })
  let answered = 0
  const answering = setInterval(() => {
    for (const { opcode, payload } of alive.frames.splice(0)) {
      if (opcode !== Opcode.ping) continue
      alive.send(Opcode.pong, payload)
      answered++
    }
  }, 100)
  await until(Date.now() + 30_000, async () => dead.hasEnded, 100)
  await until(Date.now() + 30_000, async () => answered >= 2, 100)
  clearInterval(answering)
  expect(dead.frames.some(({ opcode }) => opcode === Opcode.ping)).toBe(true)
  expect(alive.hasEnded).toBe(false)
  await until(Date.now() + 1_000, async () => broker.status.waiters === 1)
  alive.end()
  await until(Date.now() + 1_000, async () => broker.status.waiters === 0)
}, 60_000)
