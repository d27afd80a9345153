// The executable's beginning and end: one broker a data folder, an orderly stop that answers what is under way.

import { afterEach, beforeEach, expect, test } from 'bun:test'
import { BrokerProcess, scratchFolder, until } from './broker-process.ts'

const SECRET = 'a-payload-nobody-logs'

let scratch: ReturnType<typeof scratchFolder>
const running: BrokerProcess[] = []

beforeEach(() => {
  scratch = scratchFolder('life')
})

afterEach(async () => {
  for (const broker of running.splice(0)) await broker.kill()
  scratch.remove()
})

async function start(flags: readonly string[] = []): Promise<BrokerProcess> {
  const broker = await BrokerProcess.start({ data: scratch.folder, flags })
  running.push(broker)
  return broker
}

async function valuesOf(broker: BrokerProcess, topic: string): Promise<unknown[]> {
  const { records } = await broker.call<{ records: { value: unknown }[] }>(
    'GET',
    `/v1/topics/${topic}/records?limit=100000&maxBytes=8MiB`,
  )
  return records.map((record) => record.value)
}

test('a second start on the same data folder is refused and says why; the first goes on', async () => {
  const first = await start()
  const second = BrokerProcess.spawn({ data: scratch.folder })
  running.push(second)
  const code = await second.exited
  expect(code).not.toBe(0)
  expect(second.output).toContain(scratch.folder)
  expect(second.output).toContain('in use')
  const response = await fetch(`${first.url}/v1/topics/t/records`, { method: 'POST', body: 'still here' })
  expect(response.status).toBe(200)
}, 30_000)

test('after kill -9 the next start takes the folder over', async () => {
  const first = await start()
  await first.call('POST', '/v1/topics/t/records', { value: 1 })
  await first.kill()
  const second = await start()
  expect(await valuesOf(second, 't')).toEqual([1])
}, 30_000)

test('SIGTERM answers what is under way, keeps it, and exits 0', async () => {
  const broker = await start()
  await broker.call('PUT', '/v1/topics/t', { partitions: 1 })
  const poll = fetch(`${broker.url}/v1/topics/t/records?from=latest&wait=50s`)
  // an upload that has been taken in part, and goes on for a moment after the signal
  let finishUpload!: () => void
  const uploadGoesOn = new Promise<void>((resolve) => {
    finishUpload = resolve
  })
  const lines = new ReadableStream<Uint8Array>({
    async start(controller) {
      controller.enqueue(new TextEncoder().encode('"first"\n'))
      await uploadGoesOn
      controller.enqueue(new TextEncoder().encode('"second"\n'))
      controller.close()
    },
  })
  const headers = { 'content-type': 'application/x-ndjson', accept: 'application/x-ndjson' }
  const upload = await fetch(`${broker.url}/v1/topics/u/records`, { method: 'POST', headers, body: lines })
  const replies = upload.body!.getReader()
  expect(new TextDecoder().decode((await replies.read()).value)).toContain('"count":1')

  const stopped = broker.stop()
  const polled = await poll
  expect(polled.status).toBe(200)
  expect(((await polled.json()) as { records: unknown[] }).records).toEqual([])
  finishUpload()
  let rest = ''
  for (let read = await replies.read(); !read.done; read = await replies.read())
    rest += new TextDecoder().decode(read.value)
  const last = JSON.parse(rest.trim().split('\n').pop()!) as { done?: boolean; problem?: { outcome: string } }
  expect(last.done === true || last.problem !== undefined).toBe(true)
  expect(await stopped).toBe(0)

  const again = await start()
  expect(await valuesOf(again, 'u')).toEqual(last.done === true ? ['first', 'second'] : ['first'])
}, 60_000)

test('SIGTERM does not wait for uploads that are quiet: they are answered with what was kept', async () => {
  const broker = await start(['--drain-ms', '30000'])
  const encoder = new TextEncoder()
  const upload = async (topic: string, isTold: boolean): Promise<Response> => {
    const body = new ReadableStream<Uint8Array>({ start: (controller) => controller.enqueue(encoder.encode('1\n2\n')) })
    const headers = { 'content-type': 'application/x-ndjson', ...(isTold ? { accept: 'application/x-ndjson' } : null) }
    return fetch(`${broker.url}/v1/topics/${topic}/records`, { method: 'POST', headers, body })
  }
  const told = await upload('told', true)
  const untold = upload('untold', false)
  await until(Date.now() + 20_000, async () => (await valuesOf(broker, 'untold')).length === 2)
  const stoppedAtMs = performance.now()
  const stopped = broker.stop()
  const partial = { code: 'shutting-down', outcome: 'partial', accepted: 2 }
  expect(JSON.parse((await told.text()).trim().split('\n').pop()!)).toMatchObject({ problem: partial })
  const answer = await untold
  expect([answer.status, await answer.json()]).toMatchObject([503, partial])
  expect(await stopped).toBe(0)
  expect(performance.now() - stoppedAtMs).toBeLessThan(5_000)
}, 60_000)

test('produces under way at SIGTERM are answered, and what was acknowledged is there', async () => {
  const broker = await start()
  await broker.call('PUT', '/v1/topics/t', { partitions: 1 })
  const acked: number[] = []
  let next = 0
  const send = async (): Promise<void> => {
    for (;;) {
      const value = next++
      const response = await fetch(`${broker.url}/v1/topics/t/records`, {
        method: 'POST',
        body: JSON.stringify({ value }),
        headers: { 'content-type': 'application/json' },
      }).catch(() => null)
      if (response === null || response.status !== 200) return
      await response.arrayBuffer()
      acked.push(value)
    }
  }
  const senders = Array.from({ length: 16 }, send)
  while (acked.length < 200) await Bun.sleep(1)
  expect(await broker.stop()).toBe(0)
  await Promise.all(senders)
  const again = await start()
  const stored = new Set(await valuesOf(again, 't'))
  expect(acked.filter((value) => !stored.has(value))).toEqual([])
}, 60_000)

test('no payload, key or header value gets into the log lines', async () => {
  const broker = await start()
  const url = `${broker.url}/v1/topics/t/records?key=${SECRET}`
  await fetch(url, { method: 'POST', body: SECRET, headers: { 'naru-header-token': SECRET, authorization: SECRET } })
  await fetch(url, { method: 'POST', body: `{"value": ${SECRET}`, headers: { 'content-type': 'application/json' } })
  await broker.stop()
  expect(broker.output.length).toBeGreaterThan(0)
  expect(broker.output).not.toContain(SECRET)
}, 30_000)
