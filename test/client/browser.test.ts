// The package in a real browser, on a page of another origin than the broker's: no native checksum, no Buffer, CORS.

import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { join } from 'node:path'
import { buildClient } from '../../scripts/client-package.ts'
import { startChromium } from '../e2e/chromium.ts'
import { BrokerProcess, scratchFolder } from '../e2e/broker-process.ts'

const ROOT = join(import.meta.dir, '../..')
const scratch = scratchFolder('client-browser')
const html =
  '<!doctype html><script type="module">import * as client from "/client.js"; globalThis.naru = client</script>'
let server: Bun.Server<undefined>
let broker: BrokerProcess
let browser: Browser

beforeAll(async () => {
  await buildClient()
  server = Bun.serve({
    port: 0,
    fetch: ({ url }) =>
      url.endsWith('/client.js')
        ? new Response(Bun.file(join(ROOT, 'dist/client/index.js')))
        : new Response(html, { headers: { 'content-type': 'text/html' } }),
  })
  const origin = `http://127.0.0.1:${server.port}`
  broker = await BrokerProcess.start({ data: scratch.folder, flags: ['--allow-origins', origin] })
  browser = await startChromium()
}, 60_000)

afterAll(async () => {
  await browser.close()
  await server.stop(true)
  await broker.stop()
  scratch.remove()
})

/** Runs in the page. */
const script = `async ({ brokers, transports, compression, topic }) => {
  const { Producer, Consumer } = naru
  const producer = new Producer({ brokers, compression })
  for (let n = 0; n < 2_000; n++) await producer.add(topic, { key: 'k' + (n % 3), value: { n, text: '茶' }, tags: ['t'] })
  await producer.close()
  const consumer = new Consumer({ brokers, topics: topic, transports, tags: ['t'] })
  const numbers = []
  for await (const { value } of consumer) if (numbers.push(value.n) === 2_000) break
  const shared = []
  if (transports[0] !== 'events') {
    const member = new Consumer({ brokers, topics: topic, transports, group: topic })
    for await (const { value } of member) if (shared.push(value.n) === 2_000) break
  }
  return { numbers, shared }
}`

test.each([
  ['websocket', 'none'],
  ['events', 'gzip'],
  ['poll', 'none'],
])(
  'produces and consumes over %s, compression %s',
  async (transport, compression) => {
    const page = await browser.newPage()
    await page.goto(`http://127.0.0.1:${server.port}/`)
    await page.waitForFunction('globalThis.naru !== undefined')
    const topic = `page-${transport}`
    const asked = JSON.stringify({ brokers: broker.url, transports: [transport], compression, topic })
    const { numbers, shared } = (await page.evaluate(`(${script})(${asked})`)) as Record<string, number[]>
    expect(numbers).toEqual(Array.from({ length: 2_000 }, (_, n) => n))
    // What only receives is no member of a group.
    expect(shared).toEqual(transport === 'events' ? [] : numbers!)
    await page.close()
  },
  30_000,
)
