// The meter port on a Prometheus registry. Counting is one addition; labels, text and buckets are the registry's, at scrape.

import { Counter as ScrapedCounter, Gauge, Histogram as ScrapedHistogram, type Registry } from 'prom-client'
import type { Meter } from '../../core/ports/index.ts'

export function hostMeter(registry: Registry): Meter {
  return {
    counter(name, help) {
      let total = 0
      const collect = function (this: ScrapedCounter) {
        this.reset()
        this.inc(total)
      }
      new ScrapedCounter({ name, help, registers: [registry], collect })
      return { add: (count) => void (total += count) }
    },
    gauge(name, help, read) {
      const collect = function (this: Gauge) {
        this.set(read())
      }
      new Gauge({ name, help, registers: [registry], collect })
    },
    histogram(name, help, bounds) {
      const scraped = new ScrapedHistogram({ name, help, buckets: [...bounds], registers: [registry] })
      return { observe: (value) => scraped.observe(value) }
    },
  }
}
