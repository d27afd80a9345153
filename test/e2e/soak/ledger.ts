// What each producer sent and what it was told, and the judgement over what was read back.
//
// A record is named (producer, counter), and carries that name in its value. A producer sends its counters in order, one
// request at a time. An acknowledged record must be in the log once, where the acknowledgement said; one that was refused
// with outcome `none` must not be there; one whose outcome is unknown may be there once. A producer that retries (by
// Idempotency-Key or by sequence) ends with everything acknowledged, so for it once means exactly once.

export interface AckedRange {
  partition: number
  baseOffset: number
  lastOffset: number
}

const REFUSED: readonly AckedRange[] = []
const COUNTERS_MAX = 2 ** 32
const VIOLATIONS_SHOWN = 20

export class ProducerLedger {
  /** Counters below have been sent. */
  sent = 0
  readonly #answers: (readonly AckedRange[] | undefined)[] = []

  constructor(
    readonly id: number,
    readonly kind: string,
  ) {}

  /** The next `count` counters; returns the first. */
  take(count: number): number {
    const first = this.sent
    this.sent += count
    return first
  }

  acked(first: number, count: number, ranges: readonly AckedRange[]): void {
    for (let counter = first; counter < first + count; counter++) this.#answers[counter] = ranges
  }

  refused(first: number, count: number): void {
    this.acked(first, count, REFUSED)
  }

  answerTo(counter: number): readonly AckedRange[] | undefined {
    return this.#answers[counter]
  }

  get ackedCount(): number {
    let count = 0
    for (const answer of this.#answers) if (answer !== undefined && answer !== REFUSED) count++
    return count
  }
}

/** What one reader saw of a topic: per partition the names of the records, by offset from 0. */
export class LogView {
  readonly partitions: number[][]

  constructor(partitionCount: number) {
    this.partitions = Array.from({ length: partitionCount }, () => [])
  }

  get recordCount(): number {
    return this.partitions.reduce((sum, records) => sum + records.length, 0)
  }

  /** Throws when the offset is not the next one: offsets are dense, and no reader is shown one twice. */
  add(partition: number, offset: number, producer: number, counter: number): void {
    const records = this.partitions[partition]!
    if (offset !== records.length) {
      throw new Error(`partition ${partition}: offset ${offset} was read where ${records.length} was next`)
    }
    records.push(producer * COUNTERS_MAX + counter)
  }
}

/** A consumer that went on reading through the crashes must have seen what is there now. */
export function differencesOf(live: LogView, stored: LogView): string[] {
  const differences: string[] = []
  for (const [partition, records] of live.partitions.entries()) {
    const now = stored.partitions[partition]!
    const at = records.findIndex((name, offset) => now[offset] !== name)
    if (at >= 0) {
      const was = nameOf(records[at]!)
      const is = at < now.length ? nameOf(now[at]!) : 'nothing'
      differences.push(`partition ${partition} offset ${at}: a consumer had read ${was}, now there is ${is}`)
    }
  }
  return differences
}

/** Everything that is wrong with what was read; `isFinished` when every retrying producer has come to its end. */
export function violationsOf(ledgers: readonly ProducerLedger[], view: LogView): string[] {
  const violations: string[] = []
  const seen = ledgers.map((ledger) => new Uint8Array(ledger.sent))
  for (const [partition, records] of view.partitions.entries()) {
    const last = ledgers.map(() => -1)
    for (const [offset, name] of records.entries()) {
      const producer = Math.floor(name / COUNTERS_MAX)
      const counter = name % COUNTERS_MAX
      const ledger = ledgers[producer]
      const where = `partition ${partition} offset ${offset}, ${nameOf(name)} (${ledger?.kind ?? '?'})`
      if (ledger === undefined || counter >= ledger.sent) {
        violations.push(`${where}: was never sent`)
        continue
      }
      if (seen[producer]![counter] !== 0) violations.push(`${where}: is there twice`)
      seen[producer]![counter] = 1
      if (counter <= last[producer]!) violations.push(`${where}: comes after ${last[producer]}`)
      last[producer] = counter
      const answer = ledger.answerTo(counter)
      if (answer === REFUSED) violations.push(`${where}: was refused with outcome none`)
      else if (answer !== undefined && !answer.some((range) => covers(range, partition, offset))) {
        violations.push(`${where}: was acknowledged at ${JSON.stringify(answer)}`)
      }
    }
  }
  for (const ledger of ledgers) {
    for (let counter = 0; counter < ledger.sent; counter++) {
      const answer = ledger.answerTo(counter)
      if (answer === undefined || answer === REFUSED || seen[ledger.id]![counter] !== 0) continue
      violations.push(`LOST ${ledger.id}:${counter} (${ledger.kind}), acknowledged at ${JSON.stringify(answer)}`)
    }
  }
  return violations.length <= VIOLATIONS_SHOWN
    ? violations
    : [...violations.slice(0, VIOLATIONS_SHOWN), `… and ${violations.length - VIOLATIONS_SHOWN} more`]
}

function covers(range: AckedRange, partition: number, offset: number): boolean {
  return range.partition === partition && range.baseOffset <= offset && offset <= range.lastOffset
}

function nameOf(name: number): string {
  return `${Math.floor(name / COUNTERS_MAX)}:${name % COUNTERS_MAX}`
}
