import { expect, test } from 'bun:test'
import { Registry } from 'prom-client'
import { hostMeter } from '../../../src/edge/host/index.ts'

test('what was counted is what is scraped, every time', async () => {
  const registry = new Registry()
  const meter = hostMeter(registry)
  const appended = meter.counter('naru_appended_total', 'Records appended')
  let open = 3
  meter.gauge('naru_open', 'Open files', () => open)
  const waits = meter.histogram('naru_wait_ms', 'Waits', [1, 10])
  appended.add(2)
  appended.add(40)
  for (const wait of [0.5, 5, 50]) waits.observe(wait)

  const text = await registry.metrics()
  expect(text).toContain('# TYPE naru_appended_total counter\nnaru_appended_total 42\n')
  expect(text).toContain('naru_open 3\n')
  expect(text).toContain(
    'naru_wait_ms_bucket{le="1"} 1\nnaru_wait_ms_bucket{le="10"} 2\nnaru_wait_ms_bucket{le="+Inf"} 3\n',
  )
  expect(text).toContain('naru_wait_ms_sum 55.5\n')

  open = 4
  appended.add(1)
  const later = await registry.metrics()
  expect(later).toContain('naru_appended_total 43\n')
  expect(later).toContain('naru_open 4\n')
})
