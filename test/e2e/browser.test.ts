// In a real browser: the page that is served at /, the reference at /docs, and pages of others that subscribe by WebSocket and by
// EventSource through a cut, a kill, a restart and a tab that goes offline. Every record is seen once, in order.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { BrokerProcess, scratchFolder, until } from './broker-process.ts'
import { startChromium } from './chromium.ts'
import { CutProxy } from './cut-proxy.ts'
import { FOLLOW_PAGE, type Seen } from './follow-page.ts'

const WITHIN_MS = 15_000
const TEST_MS = 30_000

const data = scratchFolder('browser')
/** Pages of others: of the allowed origin under its number, of a foreign one under its name. */
const pages = Bun.serve({
  port: 0,
  hostname: '127.0.0.1',
  fetch: () => new Response(FOLLOW_PAGE, { headers: { 'content-type': 'text/html' } }),
})
const allowedOrigin = `http://127.0.0.1:${pages.port}`
const foreignOrigin = `http://localhost:${pages.port}`
let broker: BrokerProcess
let proxy: CutProxy
let browser: Browser
/** The broker as browsers know it: it keeps this address when it restarts. */
let origin: string

async function startBroker(): Promise<BrokerProcess> {
  return BrokerProcess.start({ data: data.folder, flags: ['--allow-origins', allowedOrigin] })
}

beforeAll(async () => {
  ;[broker, browser] = await Promise.all([startBroker(), startChromium()])
  proxy = await CutProxy.start(broker.port)
  origin = `http://127.0.0.1:${proxy.port}`
}, TEST_MS)

afterAll(async () => {
  await browser?.close()
  proxy?.stop()
  await broker?.stop()
  await pages.stop(true)
  data.remove()
}, TEST_MS)

async function contextOf(options: Parameters<Browser['newContext']>[0] = {}): Promise<BrowserContext> {
  const context = await browser.newContext(options)
  context.setDefaultTimeout(WITHIN_MS)
  return context
}

/** What a page complained of: its own errors, and what its policy did not let it do. */
function complaintsOf(page: Page): string[] {
  const complaints: string[] = []
  page.on('pageerror', (error) => complaints.push(error.message))
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text())
  })
  return complaints
}

class Topic {
  readonly name: string
  count = 0

  constructor(name: string) {
    this.name = name
  }

  static async create(name: string, partitions: number): Promise<Topic> {
    await broker.call('PUT', `/v1/topics/${name}`, { partitions })
    return new Topic(name)
  }

  async produce(count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      await broker.call('POST', `/v1/topics/${this.name}/records`, { value: this.count, key: `k${this.count % 7}` })
      this.count++
    }
  }
}

function followUrl(by: 'WebSocket' | 'EventSource', topic: Topic): string {
  return `${allowedOrigin}/?by=${by}&topic=${topic.name}&broker=${origin}`
}

async function openFollow(context: BrowserContext, by: 'WebSocket' | 'EventSource', topic: Topic): Promise<Page> {
  const page = await context.newPage()
  await page.goto(followUrl(by, topic))
  return page
}

/** The page at /, watching: it begins a few records back, so what is produced before then may be behind its beginning. */
async function openWatching(page: Page, topic: Topic): Promise<void> {
  await page.goto(`${origin}/#/${topic.name}`)
  await page.getByText('live', { exact: true }).waitFor()
}

const seenBy = (page: Page): Promise<Seen[]> => page.evaluate<Seen[]>('seen')

/** In the page at /, the oldest first. */
async function shownBy(page: Page): Promise<Seen[]> {
  const lines = await page.evaluate<Seen[]>(
    `[...document.querySelectorAll('#records li')].map((line) => ({
      partition: Number(line.dataset.partition), offset: Number(line.dataset.offset),
      value: JSON.parse(line.querySelector('.value').textContent) }))`,
  )
  return lines.reverse()
}

/** Waits for as many as were produced, and holds them against what each partition must have. */
async function expectAll(topic: Topic, seen: () => Promise<Seen[]>): Promise<void> {
  let records: Seen[] = []
  const isThere = async (): Promise<boolean> => (records = await seen()).length >= topic.count
  // what is missing is told below
  await until(Date.now() + WITHIN_MS, isThere, 50).catch(() => {})
  const nextOffsets = new Map<number, number>()
  const outOfPlace = records.filter(({ partition, offset }) => {
    const expected = nextOffsets.get(partition) ?? 0
    nextOffsets.set(partition, offset + 1)
    return offset !== expected
  })
  expect(outOfPlace).toEqual([])
  const values = records.map(({ value }) => Number(value)).sort((a, b) => a - b)
  expect(values).toEqual(Array.from({ length: topic.count }, (_, i) => i))
}

describe('the page at /', () => {
  test('a topic is created, published to and watched', async () => {
    const context = await contextOf()
    const page = await context.newPage()
    const complaints = complaintsOf(page)
    const answer = await page.goto(origin)
    expect(answer!.headers()).toMatchObject({
      'content-security-policy': expect.stringContaining("default-src 'none'; script-src 'self'"),
      'x-content-type-options': 'nosniff',
    })
    await page.getByLabel('New topic').fill('first.minute')
    await page.getByLabel('Partitions').first().fill('2')
    await page.getByRole('button', { name: 'Create' }).click()
    await page.getByRole('heading', { name: 'first.minute' }).waitFor()
    await page.getByText('live', { exact: true }).waitFor()

    const lines = page.getByRole('list', { name: 'Records' }).getByRole('listitem')
    const publish = page.getByRole('button', { name: 'Publish' })
    await page.getByLabel('Value').fill('<img src=x onerror="document.title=1"> it\'s text')
    await page.getByLabel('Key').fill('ann')
    await page.getByLabel('Tags').fill('vip, eu')
    await publish.click()
    await page.getByText(/^Kept at partition \d, offset 0$/).waitFor()
    await lines.first().waitFor()
    expect(await lines.first().innerText()).toContain('<img src=x onerror="document.title=1"> it\'s text')
    expect(await lines.first().innerText()).toMatch(/ann\s+vip\s+eu/)

    await page.getByLabel('JSON').check()
    await page.getByLabel('Value').fill('{"n": 12345678901234567890, "price": 2.50')
    await publish.click()
    await page.getByText('This is not JSON').waitFor()
    await page.getByLabel('Value').fill('{"n": 12345678901234567890, "price": 2.50}')
    await page.getByLabel('Tags').fill('')
    await publish.click()
    await lines.nth(1).waitFor()
    expect(await lines.first().innerText()).toContain('{ "n": 12345678901234567890, "price": 2.50 }')

    // the line that is shown does the same
    const curl = await page.locator('#publish-curl').innerText()
    expect(curl).toStartWith('curl --json ')
    const answered = await Bun.spawn(['sh', '-c', curl], { stdout: 'pipe', stderr: 'ignore' }).stdout.text()
    expect(JSON.parse(answered)).toMatchObject({ topic: 'first.minute', count: 1 })
    await lines.nth(2).waitFor()
    await page.locator('#partitions summary', { hasText: '2 partitions, 3 records' }).waitFor()

    await page.getByLabel('Only with a tag of').fill('vip')
    await page.getByLabel('Only with a tag of').press('Enter')
    await page.locator('#watch-count', { hasText: /^1 record$/ }).waitFor()
    expect(await lines.count()).toBe(1)
    expect(complaints).toEqual([])
    await context.close()
  }, 30_000)

  test('paused, it goes on where it was; without WebSockets it follows by EventSource', async () => {
    const topic = await Topic.create('paused', 1)
    const context = await contextOf({ colorScheme: 'dark', viewport: { width: 390, height: 800 } })
    await context.addInitScript(`window.WebSocket = class {
      constructor() { setTimeout(() => this.onclose({ code: 1006, reason: '' })) }
      close() {}
    }`)
    const page = await context.newPage()
    await page.goto(`${origin}/#/${topic.name}`)
    await page.getByText('live, over EventSource').waitFor()
    await topic.produce(5)
    await expectAll(topic, () => shownBy(page))
    await page.getByRole('button', { name: 'Pause' }).click()
    await page.getByText('paused', { exact: true }).first().waitFor()
    await topic.produce(5)
    expect(await shownBy(page)).toHaveLength(5)
    await page.getByRole('button', { name: 'Go on' }).click()
    await expectAll(topic, () => shownBy(page))
    // nothing sticks out of a narrow screen
    expect(await page.evaluate<number>('document.documentElement.scrollWidth')).toBeLessThanOrEqual(390)
    await context.close()
  }, 30_000)
})

describe('subscribing', () => {
  test('a cut, a kill, a restart and a tab offline: every record once, in order', async () => {
    const topic = await Topic.create('through-it-all', 3)
    const context = await contextOf()
    const [socket, stream, own] = await Promise.all([
      openFollow(context, 'WebSocket', topic),
      openFollow(context, 'EventSource', topic),
      context.newPage(),
    ])
    await openWatching(own, topic)
    const expectEverywhere = async () => {
      await Promise.all([
        expectAll(topic, () => seenBy(socket)),
        expectAll(topic, () => seenBy(stream)),
        expectAll(topic, () => shownBy(own)),
      ])
    }
    await topic.produce(20)
    await expectEverywhere()

    await topic.produce(20)
    proxy.cutAll()
    await topic.produce(20)
    proxy.cutAll()
    await topic.produce(20)
    await expectEverywhere()

    await topic.produce(20)
    await broker.kill()
    broker = await startBroker()
    proxy.target = broker.port
    await topic.produce(20)
    await expectEverywhere()

    await topic.produce(20)
    expect(await broker.stop()).toBe(0)
    broker = await startBroker()
    proxy.target = broker.port
    await topic.produce(20)
    await expectEverywhere()

    await context.setOffline(true)
    proxy.cutAll()
    await topic.produce(20)
    await context.setOffline(false)
    await expectEverywhere()
    expect(await socket.evaluate<string[]>('told')).toContain('drain')
    expect(await stream.evaluate<string[]>('told')).toContain('drain')
    await context.close()
  }, 45_000)

  test.each(['WebSocket', 'EventSource'] as const)(
    'six tabs at once by %s',
    async (by) => {
      const topic = await Topic.create(`six-by-${by}`, 2)
      const context = await contextOf()
      const tabs = await Promise.all(Array.from({ length: 6 }, () => openFollow(context, by, topic)))
      await topic.produce(30)
      await Promise.all(tabs.map((page) => expectAll(topic, () => seenBy(page))))
      await context.close()
    },
    TEST_MS,
  )

  test(
    'six tabs of the page at once, and each can still publish',
    async () => {
      const topic = await Topic.create('six-pages', 2)
      const context = await contextOf()
      const tabs = await Promise.all(Array.from({ length: 6 }, () => context.newPage()))
      await Promise.all(tabs.map((page) => openWatching(page, topic)))
      await topic.produce(30)
      for (const page of tabs) {
        await page.getByLabel('Value').fill(String(topic.count++))
        // a click would wait for frames, of which a tab behind others gets one a second
        await page.getByLabel('Value').press('Control+Enter')
      }
      await Promise.all(tabs.map((page) => expectAll(topic, () => shownBy(page))))
      await context.close()
    },
    TEST_MS,
  )
})

test(
  'a page of a foreign origin reads nothing, writes nothing and opens no socket',
  async () => {
    const topic = await Topic.create('guarded', 1)
    await topic.produce(1)
    const context = await contextOf()
    const page = await context.newPage()
    await page.goto(foreignOrigin)
    const records = `${origin}/v1/topics/${topic.name}/records`
    const attempt = (script: string): Promise<unknown> => page.evaluate(`(async () => ${script})()`)
    // the page is told so; where its browser asks first, it is not even sent
    expect(await attempt(`(await fetch('${records}', { method: 'POST', body: 'x' })).status`)).toBe(403)
    expect(await attempt(`fetch('${records}', { method: 'DELETE' }).then(() => 'sent', () => 'refused')`)).toBe(
      'refused',
    )
    await attempt(`(await fetch('${records}', { method: 'POST', mode: 'no-cors', body: 'x' })).type`)
    await attempt(
      `(await fetch('${origin}/v1/topics/new/records', { method: 'POST', mode: 'no-cors', body: 'x' })).type`,
    )
    expect(await attempt(`fetch('${records}').then(() => 'read', () => 'refused')`)).toBe('refused')
    expect(
      await attempt(`new Promise((resolve) => {
      const socket = new WebSocket('${origin.replace('http', 'ws')}/v1/ws', 'naru.v1.json')
      socket.onopen = () => resolve('open')
      socket.onclose = ({ code }) => resolve(code)
    })`),
    ).toBe(1006)
    expect(
      await attempt(`new Promise((resolve) => {
      const stream = new EventSource('${records}/stream')
      stream.onopen = () => resolve('open')
      stream.onerror = () => resolve(stream.readyState === EventSource.CLOSED ? 'refused' : 'again')
    })`),
    ).toBe('refused')
    const kept = await broker.call<{ records: unknown[] }>('GET', `/v1/topics/${topic.name}/records`)
    expect(kept.records).toHaveLength(1)
    expect((await fetch(`${broker.url}/v1/topics/new`)).status).toBe(404)

    // the very same from the origin that is allowed
    await page.goto(allowedOrigin)
    expect(await attempt(`(await fetch('${records}', { method: 'POST', body: 'x' })).status`)).toBe(200)
    await context.close()
  },
  TEST_MS,
)

test(
  'groups stand beside the topics, each with who has what and how far behind it is',
  async () => {
    const topic = await Topic.create('lagging', 2)
    await topic.produce(6)
    const group = '/v1/groups/slow-readers'
    await broker.call('PUT', `${group}/members/ann`, { topics: [topic.name] })
    const context = await contextOf()
    const page = await context.newPage()
    const complaints = complaintsOf(page)
    await page.goto(origin)
    await page.getByRole('link', { name: 'slow-readers' }).click()
    await page.getByText('stable, 1 member, 0 records behind where it committed, never in 2').waitFor()
    expect(await page.locator('#group-partitions tr').allInnerTexts()).toHaveLength(2)
    expect(await page.locator('#group-partitions').innerText()).toContain('never')
    expect(await page.locator('#group-members').innerText()).toContain('lagging 0 1')
    const offsets = [0, 1].map((partition) => ({ topic: topic.name, partition, nextOffset: 1 }))
    await broker.call('PUT', `${group}/offsets`, { member: 'ann', offsets })
    await page.getByText('stable, 1 member, 4 records behind; at-least-once, sticky').waitFor()
    await broker.call('DELETE', `${group}/members/ann`)
    await page.getByText('empty, 0 members').waitFor()
    expect(await page.locator('#group-partitions').innerText()).toContain('nobody')
    await page.getByRole('link', { name: 'lagging' }).click()
    await page.getByText('live', { exact: true }).waitFor()
    expect(await page.locator('#group').isVisible()).toBe(false)
    expect(complaints).toEqual([])
    await context.close()
  },
  TEST_MS,
)

test(
  'the reference at /docs needs nothing but the broker, and is clicked',
  async () => {
    const context = await contextOf()
    const elsewhere: string[] = []
    await context.route(
      (url) => url.origin !== origin && url.protocol !== 'data:',
      async (route) => {
        elsewhere.push(route.request().url())
        await route.abort()
      },
    )
    const page = await context.newPage()
    const complaints = complaintsOf(page)
    const answer = await page.goto(`${origin}/docs`)
    expect(answer!.headers()['content-security-policy']).toContain("default-src 'none'")
    await page.getByText('/v1/topics/{topic}/records', { exact: true }).first().waitFor()
    const document = await broker.call<{ paths: Record<string, object> }>('GET', '/openapi.json')
    const operations = Object.values(document.paths).flatMap((methods) => Object.keys(methods))
    expect(await page.locator('.opblock').count()).toBe(operations.length)

    const health = page.locator('.opblock', { hasText: '/healthz' })
    await health.locator('.opblock-summary-control').click()
    await health.getByRole('button', { name: 'Execute' }).click()
    await health.locator('.live-responses-table .response-col_status', { hasText: '200' }).first().waitFor()
    expect(await health.locator('.live-responses-table').innerText()).toContain('"status": "ok"')
    expect(elsewhere).toEqual([])
    expect(complaints).toEqual([])
    await context.close()
  },
  TEST_MS,
)
