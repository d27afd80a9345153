// The README's example of a consumer that writes back, as two processes: killed at random, with the broker once among them, and
// started again as whoever keeps services running does. Each order ends in exactly one bill.

import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Producer } from '../../src/client/index.ts'
import { scratchFolder, until } from '../e2e/broker-process.ts'
import { SimRandom } from '../sim/random.ts'
import { BrokerWorld } from './broker-world.ts'

const ROOT = join(import.meta.dir, '../..')
const KILLS = 8
const ORDERS_BETWEEN = 80
const project = scratchFolder('each-once')
const random = new SimRandom(7, 'kills')
const services: Service[] = []
let world: BrokerWorld

beforeAll(async () => {
  const installed = join(project.folder, 'node_modules/naru-client')
  mkdirSync(installed, { recursive: true })
  writeFileSync(join(installed, 'package.json'), '{"name":"naru-client","main":"index.ts"}')
  writeFileSync(join(installed, 'index.ts'), `export * from '${join(ROOT, 'src/client/index.ts')}'\n`)
  writeFileSync(join(project.folder, 'package.json'), '{"type":"module"}')
  world = await BrokerWorld.start()
  const readme = await Bun.file(join(ROOT, 'src/client/README.md')).text()
  const [, code] = /<!-- each-once -->\s+```js\n([\s\S]*?)```/.exec(readme)!
  writeFileSync(join(project.folder, 'billing.js'), code!.replace('http://localhost:7070', world.url))
}, 60_000)

afterAll(async () => {
  for (const service of services) service.end()
  await world.end()
  project.remove()
})

/** Runs it again whenever it ends. */
class Service {
  starts = 0
  #process: Bun.Subprocess | null = null
  #isOver = false
  readonly #name: string
  readonly over: Promise<void>

  constructor(name: string) {
    this.#name = name
    this.over = this.#keepRunning()
  }

  kill(): void {
    this.#process?.kill('SIGKILL')
  }

  end(): void {
    this.#isOver = true
    this.kill()
  }

  async #keepRunning(): Promise<void> {
    while (!this.#isOver) {
      this.starts++
      this.#process = Bun.spawn(['bun', 'billing.js', this.#name], {
        cwd: project.folder,
        stdout: 'ignore',
        stderr: 'ignore',
      })
      await this.#process.exited
    }
  }
}

async function lag(): Promise<number> {
  const { partitions } = await world.broker.call<{ partitions: { lag: number | null }[] }>('GET', '/v1/groups/billing')
  return partitions.reduce((sum, each) => sum + (each.lag ?? Infinity), 0)
}

async function billCount(): Promise<number> {
  return (await world.stored('bills')).length
}

test('whoever is killed, each order is in exactly one bill', async () => {
  await world.broker.call('PUT', '/v1/topics/orders', { partitions: 4 })
  const producer = new Producer({ brokers: world.url })
  let orders = 0
  services.push(new Service('one'), new Service('two'))
  for (let kill = 0; kill < KILLS; kill++) {
    const before = await billCount().catch(() => 0)
    for (const until_ = orders + ORDERS_BETWEEN; orders < until_; orders++) {
      await producer.add('orders', { key: `customer-${orders % 50}`, value: { number: orders, price: 5, count: 2 } })
    }
    // In the midst of work: some of it is done.
    await until(Date.now() + 10_000, async () => (await billCount()) > before)
    await Bun.sleep(random.int(0, 20))
    services[random.int(0, 1)]!.kill()
    if (kill !== KILLS / 2) continue
    await world.broker.kill()
    await world.start()
  }
  await producer.flush()
  await until(Date.now() + 20_000, async () => (await lag()) === 0)
  for (const service of services) service.end()
  await Promise.all(services.map(({ over }) => over))
  const bills = (await world.stored('bills')).map(({ value }) => value as { order: number; total: number })
  expect(bills.map(({ order }) => order).sort((a, b) => a - b)).toEqual(Array.from({ length: orders }, (_, n) => n))
  expect(bills.every(({ total }) => total === 10)).toBe(true)
  expect(services.reduce((sum, { starts }) => sum + starts, 0)).toBeGreaterThanOrEqual(KILLS + 2)
  await producer.close()
}, 60_000)
