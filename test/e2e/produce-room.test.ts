// As much to be produced as the broker takes at once: what comes beyond is refused with nothing done, and taken when there is room.

import { afterAll, beforeAll, expect, test } from 'bun:test'
import { connect, type Socket } from 'node:net'
import { BrokerProcess, scratchFolder, until } from './broker-process.ts'

const BODY_BYTES = 16 << 20
const UPLOADS = 4

const { folder, remove } = scratchFolder('room')
let broker: BrokerProcess
const sockets: Socket[] = []

beforeAll(async () => {
  broker = await BrokerProcess.start({ data: folder })
  await broker.call('PUT', '/v1/topics/t', { partitions: 1 })
})

afterAll(async () => {
  for (const socket of sockets) socket.destroy()
  await broker.kill()
  remove()
})

function post(): Promise<Response> {
  return fetch(`${broker.url}/v1/topics/t/records`, {
    method: 'POST',
    body: 'x'.repeat(100),
    headers: { 'content-type': 'text/plain' },
  })
}

/** All of a body but its last byte; resolves when the kernel has taken it. */
function nearlyAll(): Promise<void> {
  const socket = connect(broker.port, '127.0.0.1')
  sockets.push(socket)
  socket.on('error', () => {})
  const head = `POST /v1/topics/t/records HTTP/1.1\r\nHost: a\r\nContent-Type: application/octet-stream\r\n`
  socket.write(`${head}Content-Length: ${BODY_BYTES}\r\n\r\n`)
  return new Promise((resolve) => socket.write(Buffer.alloc(BODY_BYTES - 1), () => resolve()))
}

test('bodies that fill the room hold up others, who are refused, until one of them is gone', async () => {
  expect((await post()).status).toBe(200)
  await Promise.all(Array.from({ length: UPLOADS }, nearlyAll))
  let refusal!: Response
  await until(Date.now() + 15_000, async () => {
    refusal = await post()
    return refusal.status !== 200
  })
  expect(refusal.status).toBe(503)
  expect(refusal.headers.get('retry-after')).not.toBeNull()
  expect(await refusal.json()).toMatchObject({ code: 'busy', outcome: 'none', retryable: true })
  expect((await fetch(`${broker.url}/v1/topics/t/records`)).status).toBe(200)

  const waiting = post()
  sockets[0]!.destroy()
  expect((await waiting).status).toBe(200)
  expect((await post()).status).toBe(200)
}, 30_000)
