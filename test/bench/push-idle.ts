// What subscribers cost that only wait: memory of each, and how long until one record has reached them all.

import { scratchFolder } from '../e2e/broker-process.ts'
import { Subscribers } from './push-load.ts'
import { rssBytes, startBroker } from './servers.ts'

const WARM = 500
/** What is allocated once, and by the collector's moods, has settled by then. */
const SETTLE_MS = 1_500

export async function idleSubscribers(short: boolean): Promise<string[]> {
  const count = short ? 2_000 : 10_000
  const scratch = scratchFolder('bench')
  const broker = await startBroker(scratch.folder)
  try {
    await broker.call('PUT', '/v1/topics/t', { partitions: 1 })
    const subscribed = {
      port: broker.port,
      path: '/v1/ws',
      hello: { op: 'subscribe', id: 's', topics: ['t'], from: 'latest' },
    }
    const warm = await Subscribers.open({ ...subscribed, count: WARM })
    await Bun.sleep(SETTLE_MS)
    const before = rssBytes(broker.pid)
    const subscribers = await Subscribers.open({ ...subscribed, count })
    await Bun.sleep(SETTLE_MS)
    const each = (rssBytes(broker.pid) - before) / count
    const startedAt = performance.now()
    await broker.call('POST', '/v1/topics/t/records', [{ value: 1 }])
    await subscribers.whole(1)
    const reachedMs = performance.now() - startedAt
    warm.close()
    subscribers.close()
    return [
      `${count} idle: ${(each / 1024).toFixed(1)} KB each; one record reaches all within ${reachedMs.toFixed(0)} ms`,
    ]
  } finally {
    await broker.kill()
    scratch.remove()
  }
}
