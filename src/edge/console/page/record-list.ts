// What has arrived, the newest first: as many as bear a look, the rest are only counted. Drawn once a frame, however many come.

import { element } from './elements.ts'
import type { LiveRecord, Reset } from './live.ts'

const SHOWN_MAX = 500
/** Of a value; of what is longer only the beginning is shown, and how long it is. */
const VALUE_CHARS_MAX = 20_000

type Entry = { kind: 'record'; record: LiveRecord } | { kind: 'reset'; reset: Reset }

export class RecordList {
  readonly #list: HTMLOListElement
  readonly #note: HTMLElement
  /** Not drawn yet. */
  #waiting: Entry[] = []
  #count = 0
  #isDue = false

  constructor(list: HTMLOListElement, note: HTMLElement) {
    this.#list = list
    this.#note = note
  }

  add(records: readonly LiveRecord[]): void {
    this.#count += records.length
    for (const record of records.slice(-SHOWN_MAX)) this.#waiting.push({ kind: 'record', record })
    this.#soon()
  }

  addReset(reset: Reset): void {
    this.#waiting.push({ kind: 'reset', reset })
    this.#soon()
  }

  clear(): void {
    this.#waiting = []
    this.#count = 0
    this.#list.replaceChildren()
    this.#soon()
  }

  #soon(): void {
    if (this.#waiting.length > SHOWN_MAX) this.#waiting = this.#waiting.slice(-SHOWN_MAX)
    if (this.#isDue) return
    this.#isDue = true
    requestAnimationFrame(() => this.#draw())
  }

  #draw(): void {
    this.#isDue = false
    this.#list.prepend(...this.#waiting.map(lineOf).reverse())
    this.#waiting = []
    while (this.#list.childElementCount > SHOWN_MAX) this.#list.lastElementChild!.remove()
    this.#note.textContent = countOf(this.#count, this.#list.childElementCount)
  }
}

function countOf(count: number, shown: number): string {
  if (count === 0) return 'No records yet: they show up here as they come.'
  const records = `${count.toLocaleString()} ${count === 1 ? 'record' : 'records'}`
  return count > shown ? `${records}, the last ${shown} shown` : records
}

function lineOf(entry: Entry): HTMLLIElement {
  return entry.kind === 'record' ? recordLine(entry.record) : resetLine(entry.reset)
}

function recordLine(record: LiveRecord): HTMLLIElement {
  const { partition, offset, appendedAt } = record
  const at = new Date(appendedAt)
  const time = element('time', { dateTime: at.toISOString(), title: at.toISOString() }, clockOf(at))
  const place = element('span', { title: `partition ${partition}, offset ${offset}` }, `p${partition} · ${offset}`)
  const line = element('li', {}, element('div', { className: 'place' }, place, time), contentOf(record))
  line.dataset['partition'] = String(partition)
  line.dataset['offset'] = String(offset)
  return line
}

function contentOf(record: LiveRecord): HTMLElement {
  const { key, keyBase64, headers = {}, tags = [] } = record
  const labels = element('div', { className: 'labels' })
  if (key !== undefined) labels.append(element('span', { title: 'key' }, key))
  if (keyBase64 !== undefined) labels.append(element('span', { title: 'key, Base64' }, `${keyBase64} (Base64)`))
  for (const tag of tags) labels.append(element('span', { className: 'tag', title: 'tag' }, tag))
  for (const [name, value] of Object.entries(headers)) {
    labels.append(element('span', { title: 'header' }, `${name}: ${value}`))
  }
  return element('div', {}, labels, valueOf(record))
}

function valueOf({ value, valueBase64, tombstone }: LiveRecord): HTMLElement {
  if (tombstone === true) return element('p', { className: 'value none' }, 'tombstone: its key is deleted')
  if (valueBase64 !== undefined) return element('pre', { className: 'value', title: 'Base64' }, cut(valueBase64))
  const text = typeof value === 'string' ? value : JSON.stringify(value, null, 1).replaceAll(/\n\s*/g, ' ')
  return element('pre', { className: 'value' }, cut(text))
}

function cut(text: string): string {
  if (text.length <= VALUE_CHARS_MAX) return text
  return `${text.slice(0, VALUE_CHARS_MAX)}… (${text.length.toLocaleString()} characters)`
}

function resetLine({ partition, from, to, reason }: Reset): HTMLLIElement {
  const where = partition === null ? 'The topic' : `Partition ${partition}`
  const how = from === null ? 'begins anew' : `goes on at ${to ?? 'its start'} instead of ${from}`
  return element('li', { className: 'none' }, `${where} ${how} (${reason})`)
}

function clockOf(at: Date): string {
  const parts = [at.getHours(), at.getMinutes(), at.getSeconds()].map((part) => String(part).padStart(2, '0'))
  return `${parts.join(':')}.${String(at.getMilliseconds()).padStart(3, '0')}`
}
