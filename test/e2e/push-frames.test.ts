// WebSocket frames as bytes, against the executable: cut in odd places, wrong, too large, too many.

import { afterAll, afterEach, beforeAll, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { BrokerProcess, scratchFolder, until } from './broker-process.ts'
import { frame, Opcode, RawFrames } from './raw-frames.ts'

const FRAME_BYTES_MAX = 2 << 20

let scratch: ReturnType<typeof scratchFolder>
let broker: BrokerProcess
const open: RawFrames[] = []

beforeAll(async () => {
  scratch = scratchFolder('frames')
  broker = await BrokerProcess.start({ data: scratch.folder, flags: ['--slow-ms', '1000'] })
  await broker.call('PUT', '/v1/topics/t', { partitions: 1 })
})

afterEach(() => {
  for (const raw of open.splice(0)) raw.end()
})

afterAll(async () => {
  await broker.kill()
  scratch.remove()
})

async function connected(): Promise<RawFrames> {
  const raw = await RawFrames.open(broker.port)
  open.push(raw)
  await raw.until(() => raw.frames.length > 0)
  return raw
}

/** The broker answers this client, and any other. */
async function expectAlive(raw?: RawFrames): Promise<void> {
  const other = raw ?? (await connected())
  const id = `alive ${other.frames.length}`
  other.say({ op: 'ping', id })
  await other.until(() => other.frames.some(({ payload }) => payload.includes(`"id":"${id}"`)))
}

test('a message in fragments, with a ping among them', async () => {
  const raw = await connected()
  raw.send(Opcode.text, '{"op":"pi', { isFinal: false })
  raw.send(Opcode.continuation, 'ng","id"', { isFinal: false })
  raw.send(Opcode.ping, 'hello')
  raw.send(Opcode.continuation, ':"fragments"}')
  await raw.until(() => raw.messages.some(({ id }) => id === 'fragments'))
  expect(raw.frames.find(({ opcode }) => opcode === Opcode.pong)?.payload.toString()).toBe('hello')
})

test('a character cut by fragments is whole again', async () => {
  const raw = await connected()
  const text = Buffer.from('{"op":"produce","id":"p","topic":"t","records":[{"value":"나루"}]}')
  const cut = text.indexOf(Buffer.from('루')) + 1
  raw.send(Opcode.text, text.subarray(0, cut), { isFinal: false })
  raw.send(Opcode.continuation, text.subarray(cut))
  await raw.until(() => raw.messages.some(({ op }) => op === 'produced'))
})

test('bytes that come one at a time, and many frames that come at once', async () => {
  const raw = await connected()
  for (const byte of frame(Opcode.text, '{"op":"ping","id":"slow"}')) raw.socket.write(Buffer.from([byte]))
  await raw.until(() => raw.messages.some(({ id }) => id === 'slow'))
  const many = Array.from({ length: 500 }, (_, i) => frame(Opcode.text, `{"op":"ping","id":"${i}"}`))
  raw.socket.write(Buffer.concat(many))
  await raw.until(() => raw.messages.length >= 502)
  expect(raw.messages.slice(2).map(({ id }) => id)).toEqual(many.map((_, i) => `${i}`))
})

const PING = '{"op":"ping","id":"x"}'
const refused: readonly [what: string, code: number, send: (raw: RawFrames) => void][] = [
  ['a frame without a mask', 1002, (raw) => raw.send(Opcode.text, PING, { isMasked: false })],
  ['a reserved bit', 1002, (raw) => raw.send(Opcode.text, PING, { reservedBits: 0x40 })],
  ['an opcode that is not there', 1002, (raw) => raw.send(3, PING)],
  ['a continuation of nothing', 1002, (raw) => raw.send(Opcode.continuation, PING)],
  ['a ping in fragments', 1002, (raw) => raw.send(Opcode.ping, 'a', { isFinal: false })],
  ['a ping of 126 bytes', 1002, (raw) => raw.send(Opcode.ping, 'a'.repeat(126))],
  ['bytes that are no UTF-8', 1007, (raw) => raw.send(Opcode.text, Buffer.from([0x7b, 0xff, 0x7d]))],
  ['a surrogate as UTF-8', 1007, (raw) => raw.send(Opcode.text, Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]))],
  [
    'no UTF-8 once the fragments are joined',
    1007,
    (raw) => {
      raw.send(Opcode.text, Buffer.from([0x22, 0xe2, 0x82]), { isFinal: false })
      raw.send(Opcode.continuation, '"')
    },
  ],
  ['a frame too large', 1009, (raw) => raw.send(Opcode.text, 'a'.repeat(FRAME_BYTES_MAX + 1))],
  [
    'fragments that are too large together',
    1009,
    (raw) => {
      raw.send(Opcode.text, 'a'.repeat(FRAME_BYTES_MAX), { isFinal: false })
      raw.send(Opcode.continuation, 'ab')
    },
  ],
  [
    'a length of eight exabytes',
    1009,
    (raw) => raw.socket.write(Buffer.from([0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4])),
  ],
  ['a binary frame', 4400, (raw) => raw.send(Opcode.binary, PING)],
  ['no JSON', 4400, (raw) => raw.send(Opcode.text, 'hello')],
  ['an empty frame', 4400, (raw) => raw.send(Opcode.text, '')],
]

for (const [what, code, send] of refused) {
  test(`${what} closes with ${code}, and only that socket`, async () => {
    const raw = await connected()
    const bystander = await connected()
    send(raw)
    expect(await raw.closeCode()).toBe(code)
    await expectAlive(bystander)
  })
}

test('a frame as large as may be is taken', async () => {
  const raw = await connected()
  const head = '{"op":"produce","id":"big","topic":"t","records":[{"value":"'
  const tail = '"}]}'
  const value = 'a'.repeat(FRAME_BYTES_MAX - head.length - tail.length)
  raw.send(Opcode.text, head + value + tail)
  await raw.until(() => raw.messages.some(({ id }) => id === 'big'))
  expect(raw.messages.at(-1)).toMatchObject({ op: 'error', problem: { code: 'record-too-large' } })
})

test('a close is answered by a close', async () => {
  const raw = await connected()
  raw.send(Opcode.close, Buffer.from([0x03, 0xe8]))
  expect(await raw.closeCode()).toBe(1000)
})

test('a flood of pings is answered, and holds up nobody', async () => {
  const raw = await connected()
  const bystander = await connected()
  const pings = Buffer.concat(Array.from({ length: 1_000 }, (_, i) => frame(Opcode.ping, `${i}`)))
  for (let i = 0; i < 20; i++) raw.socket.write(pings)
  await expectAlive(bystander)
  await raw.until(() => raw.frames.filter(({ opcode }) => opcode === Opcode.pong).length === 20_000)
  await expectAlive(raw)
})

for (const [what, flood] of [
  ['pings', frame(Opcode.ping, 'p'.repeat(125))],
  ['ping operations', frame(Opcode.text, JSON.stringify({ op: 'ping', id: 'p'.repeat(64) }))],
  ['wrong operations', frame(Opcode.text, '{"op":"x"}')],
] as const) {
  test(`a flood of ${what} that nobody reads the answers of takes bounded memory, and ends with that client`, async () => {
    const raw = await connected()
    const bystander = await connected()
    raw.socket.pause()
    const before = residentBytes()
    const block = Buffer.concat(Array.from({ length: 2_000 }, () => flood))
    let written = 0
    let isOver = false
    raw.socket.on('close', () => (isOver = true))
    const pour = (): void => {
      while (!isOver && written < 100 << 20) {
        written += block.length
        if (!raw.socket.write(block)) return void raw.socket.once('drain', pour)
      }
    }
    pour()
    await expectAlive(bystander)
    let peak = 0
    await until(Date.now() + 15_000, async () => {
      peak = Math.max(peak, residentBytes())
      return (await sockets()) === 1
    })
    await expectAlive(bystander)
    expect(peak - before).toBeLessThan(150 << 20)
  }, 30_000)
}

function residentBytes(): number {
  const status = readFileSync(`/proc/${broker.pid}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)![1]) * 1024
}

async function sockets(): Promise<number> {
  const text = await (await fetch(`${broker.url}/metrics`)).text()
  return Number(/^naru_push_sockets(?:\{[^}]*\})? (\d+)/m.exec(text)![1])
}
