import { expect, test } from 'bun:test'
import {
  checkTopicConfig,
  minInSyncReplicasInForce,
  resolveTopicConfig,
  TOPIC_CONFIG_KEYS,
  TOPIC_SETTINGS,
} from '../../../src/core/cluster/index.ts'

test('the settings are those of the contract', () => {
  expect<string[]>([...TOPIC_CONFIG_KEYS].sort()).toEqual(
    (
      'retentionMs retentionBytes segmentBytes segmentMs cleanup deleteRetentionMs minInSyncReplicas recordBytesMax ' +
      'replicaLagMessagesMax replicaLagMsMax flush compression idempotencyMs'
    )
      .split(' ')
      .sort(),
  )
})

test.each(TOPIC_CONFIG_KEYS)('%s: the default is within its own bounds and says why', (key) => {
  const setting = TOPIC_SETTINGS[key]
  expect(setting.about.length).toBeGreaterThan(30)
  expect(checkTopicConfig({ [key]: setting.default }, '', false).errors).toEqual([])
  if (setting.kind !== 'integer') return
  for (const value of [setting.min, setting.max, ...(setting.orNone ? [-1] : [])]) {
    expect(checkTopicConfig({ [key]: value }, '', false).patch).toEqual({ [key]: value })
  }
  for (const value of [setting.min - (setting.min === 0 ? 2 : 1), setting.max + 1, Number.NaN, Infinity]) {
    if (value === -1 && setting.orNone) continue
    expect(checkTopicConfig({ [key]: value }, '', false).errors).toHaveLength(1)
  }
})

test('the topic goes before the broker, the broker before the default', () => {
  const resolved = resolveTopicConfig({ retentionMs: 5_000, flush: 'os' }, { retentionMs: 9_000, segmentMs: 7_000 })
  expect(resolved.config).toMatchObject({ retentionMs: 5_000, flush: 'os', segmentMs: 7_000, retentionBytes: -1 })
  expect(resolved.sources).toMatchObject({
    retentionMs: 'topic',
    flush: 'topic',
    segmentMs: 'broker',
    retentionBytes: 'default',
  })
})

test('the default for replicas in sync gives way to fewer replicas, a chosen value does not', () => {
  expect(minInSyncReplicasInForce(resolveTopicConfig({}), 1)).toBe(1)
  expect(minInSyncReplicasInForce(resolveTopicConfig({}), 3)).toBe(2)
  expect(minInSyncReplicasInForce(resolveTopicConfig({ minInSyncReplicas: 2 }), 1)).toBe(2)
  expect(minInSyncReplicasInForce(resolveTopicConfig({}, { minInSyncReplicas: 2 }), 1)).toBe(2)
})
