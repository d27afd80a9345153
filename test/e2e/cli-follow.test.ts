// naru consume --follow on the executable: what it prints, through whatever happens to its connection.

import { afterAll, beforeAll, expect, test } from 'bun:test'
import { FaultyProxy } from '../client/faulty-proxy.ts'
import { BrokerProcess, binaryPath, scratchFolder, until } from './broker-process.ts'

const { folder, remove } = scratchFolder('follow')
const followers: Follower[] = []
let broker: BrokerProcess
let port = 0

beforeAll(async () => {
  broker = await BrokerProcess.start({ data: folder })
  ;({ port } = broker)
})
afterAll(async () => {
  for (const follower of followers) await follower.end()
  await broker.kill()
  remove()
})

/** On the same folder and port. */
async function restart(): Promise<void> {
  broker = await BrokerProcess.start({ data: folder, flags: ['--port', String(port)] })
}

class Follower {
  out = ''
  err = ''
  readonly #child: Bun.Subprocess<'ignore', 'pipe', 'pipe'>

  constructor(args: readonly string[]) {
    const command = [binaryPath(), 'consume', '--follow', '--server', `http://127.0.0.1:${port}`, ...args]
    this.#child = Bun.spawn(command, { stdin: 'ignore', stdout: 'pipe', stderr: 'pipe' })
    void this.#read(this.#child.stdout, (text) => (this.out += text))
    void this.#read(this.#child.stderr, (text) => (this.err += text))
    followers.push(this)
  }

  get exited(): Promise<number> {
    return this.#child.exited
  }

  async printed(lines: number): Promise<string[]> {
    const count = async () => this.out.split('\n').length - 1 >= lines
    await until(Date.now() + 10_000, count).catch(() => {
      throw new Error(`${this.out.split('\n').length - 1} lines of ${lines}; ${this.err}`)
    })
    return this.out.trimEnd().split('\n')
  }

  async end(): Promise<void> {
    this.#child.kill()
    await this.#child.exited
  }

  async #read(stream: ReadableStream<Uint8Array>, keep: (text: string) => void): Promise<void> {
    const decoder = new TextDecoder()
    for await (const chunk of stream) keep(decoder.decode(chunk, { stream: true }))
  }
}

async function produce(topic: string, records: readonly object[], partition = 0): Promise<void> {
  await broker.call('POST', `/v1/topics/${topic}/partitions/${partition}/records`, { records })
}

function numbers(from: number, to: number): { value: number }[] {
  return Array.from({ length: to - from }, (_, i) => ({ value: from + i }))
}

test('brokers killed, stopped and started again: every record once, in order', async () => {
  await broker.call('PUT', '/v1/topics/lasting', {})
  const follower = new Follower(['lasting'])
  for (let round = 0; round < 3; round++) {
    await produce('lasting', numbers(round * 1_000, round * 1_000 + 500))
    await follower.printed(round * 1_000 + 1)
    await produce('lasting', numbers(round * 1_000 + 500, round * 1_000 + 1_000))
    if (round === 1) await broker.stop()
    else await broker.kill()
    await restart()
  }
  await produce('lasting', numbers(3_000, 3_001))
  expect(await follower.printed(3_001)).toEqual(numbers(0, 3_001).map(({ value }) => String(value)))
  expect(follower.err.match(/the connection .* ended; trying again/g)).toHaveLength(3)
}, 30_000)

test('values are printed as they are stored, records as the broker writes them', async () => {
  await broker.call('PUT', '/v1/topics/exact', {})
  const body =
    '[{"value":12345678901234567890.10,"key":"k\\"é","headers":{"h":"ü"},"tags":["a","b"],"timestamp":1700000000000},' +
    '{"value":{ "n" : 1e400, "s":"\\u00e9" }},{"valueBase64":"/w==","keyBase64":"/w=="},{"tombstone":true,"key":"k"}]'
  const headers = { 'content-type': 'application/json' }
  const url = `${broker.url}/v1/topics/exact`
  expect((await fetch(`${url}/records`, { method: 'POST', body, headers })).ok).toBe(true)
  await fetch(`${url}/records`, { method: 'POST', body: 'line\n"two"', headers: { 'content-type': 'text/plain' } })
  for (const format of ['value', 'record']) {
    const stored = await fetch(`${url}/records?format=${format}`, { headers: { accept: 'application/x-ndjson' } })
    const follower = new Follower(['exact', '--format', format])
    expect(`${(await follower.printed(5)).join('\n')}\n`).toBe(await stored.text())
  }
  expect((await new Follower(['exact']).printed(1))[0]).toBe('12345678901234567890.10')
})

test('what to read, and how much', async () => {
  await broker.call('PUT', '/v1/topics/parts', { partitions: 2 })
  await produce('parts', numbers(0, 10), 1)
  await produce('parts', [{ value: 'tagged', tags: ['new'] }], 0)
  const last = new Follower(['parts', '--partition', '1', '--from', '7', '--limit', '4'])
  expect(await last.printed(3)).toEqual(['7', '8', '9'])
  await produce('parts', numbers(10, 20), 1)
  expect(await last.exited).toBe(0)
  expect(last.out).toBe('7\n8\n9\n10\n')
  expect(await new Follower(['parts', '--tags', 'new,other']).printed(1)).toEqual(['"tagged"'])
  const later = new Follower(['parts', '--from', 'latest'])
  // A record produced before it is connected is none of its.
  await until(Date.now() + 10_000, async () => {
    await produce('parts', [{ value: 'late' }])
    return later.out !== ''
  })
  expect(later.out).toStartWith('"late"\n')
})

test('where no WebSocket gets through it comes another way', async () => {
  const proxy = new FaultyProxy(() => broker.url)
  proxy.fault = ({ url }) =>
    url.includes('/ws') ? { kind: 'refuse', response: new Response('', { status: 502 }) } : null
  const follower = new Follower(['exact', '--server', proxy.url])
  expect((await follower.printed(1))[0]).toBe('12345678901234567890.10')
  await follower.end()
  await proxy.end()
})

test('what cannot be followed is said at once', async () => {
  const ended = async (...args: string[]): Promise<[number, string]> => {
    const follower = new Follower(args)
    return [await follower.exited, follower.err]
  }
  expect(await ended('nowhere')).toEqual([1, expect.stringContaining('There is no topic nowhere')])
  expect(await ended('parts', '--from', 'soon')).toEqual([1, expect.stringContaining('from')])
  expect(await ended('parts', '--partition', '7')).toEqual([1, expect.stringContaining('has no partition 7')])
  expect(await ended('parts', '--until', 'latest')).toEqual([1, expect.stringContaining('leave one out')])
  expect(await ended('parts', '--limit', 'x')).toEqual([1, expect.stringContaining('--limit')])
  const elsewhere = await ended('parts', '--server', 'http://127.0.0.1:1')
  expect(elsewhere).toEqual([1, expect.stringContaining('no broker answers at http://127.0.0.1:')])
})
