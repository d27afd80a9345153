// A broker that has nothing joins when the log it would need is gone: it is sent a snapshot of the metadata.

import { expect, test } from 'bun:test'
import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { until } from './broker-process.ts'
import { ClusterProcesses } from './cluster.ts'

const SNAPSHOT_BYTES = 16 * 1024
const CHANGES = 800
const AT_ONCE = 16

interface TopicView {
  config: Record<string, { value: unknown }>
}

test('a broker whose folder was wiped catches up by a snapshot', async () => {
  await ClusterProcesses.run(
    3,
    async (cluster) => {
      await cluster.broker(1).call('PUT', '/v1/topics/changing')
      let next = 0
      const change = async (): Promise<void> => {
        while (next < CHANGES) {
          await cluster
            .broker((next % 3) + 1)
            .call('PATCH', '/v1/topics/changing', { config: { retentionMs: 60_000 + next++ } })
        }
      }
      await Promise.all(Array.from({ length: AT_ONCE }, change))
      await cluster.broker(2).call('PATCH', '/v1/topics/changing', { config: { retentionMs: 12_345_678 } })

      await cluster.kill(3)
      rmSync(join(cluster.folder, '3'), { recursive: true })
      // A number stands for one data folder for all time.
      await cluster.startBroker(4)
      await until(Date.now() + 20_000, async () => {
        const view = await fetch(`${cluster.urlOf(4)}/v1/topics/changing`)
        return view.ok && ((await view.json()) as TopicView).config['retentionMs']!.value === 12_345_678
      })
      const files = readdirSync(join(cluster.folder, '4', 'metadata'))
      expect(files.filter((name) => name.endsWith('.snapshot'))).not.toEqual([])
      const firstLog = files.filter((name) => name.endsWith('.log')).toSorted()[0]!
      expect(Number.parseInt(firstLog, 10)).toBeGreaterThan(1)

      await until(Date.now() + 20_000, async () => {
        const { voters } = await cluster.broker(1).call<{ voters: number[] }>('PUT', '/v1/cluster/voters/4')
        return voters.includes(4)
      })
    },
    ['--metadata-snapshot-bytes', String(SNAPSHOT_BYTES)],
  )
}, 60_000)
