// Where the partitions of a topic begin and end. Asked for anew when something came, at most once a second.

import { partitionsOf } from './broker.ts'
import { byId, element } from './elements.ts'

const EVERY_MS = 1_000

export class PartitionTable {
  readonly #rows = byId('partition-rows', HTMLTableSectionElement)
  readonly #summary = byId('partitions-summary', HTMLElement)
  #topic = ''
  #timer = 0

  show(topic: string): void {
    this.#topic = topic
    this.#rows.replaceChildren()
    this.#summary.textContent = 'Partitions'
    void this.#refresh()
  }

  soon(): void {
    if (this.#timer !== 0) return
    this.#timer = window.setTimeout(() => {
      this.#timer = 0
      void this.#refresh()
    }, EVERY_MS)
  }

  async #refresh(): Promise<void> {
    const topic = this.#topic
    // What keeps it from being asked is told where records are watched.
    const partitions = await partitionsOf(topic).catch(() => null)
    if (partitions === null || topic !== this.#topic) return
    let records = 0
    this.#rows.replaceChildren(
      ...partitions.map(({ partition, logStartOffset, highWatermark, damaged }) => {
        const count = highWatermark - logStartOffset
        records += count
        const name = damaged ? `${partition} (damaged)` : String(partition)
        const cells = [logStartOffset, highWatermark, count].map((n) => element('td', {}, n.toLocaleString()))
        return element('tr', {}, element('th', { scope: 'row' }, name), ...cells)
      }),
    )
    const places = partitions.length === 1 ? '1 partition' : `${partitions.length} partitions`
    this.#summary.textContent = `${places}, ${records.toLocaleString()} ${records === 1 ? 'record' : 'records'}`
  }
}
