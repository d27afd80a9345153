// What a log may look like after a crash, kept beside the log as plain maps. Everything acknowledged is there, in order; what
// was appended and not acknowledged is there up to some batch or not at all; a cut that was under way has happened
// wholly or not; a start that was being raised is the old one, the new one or, for retention, one in between.

import { expect } from 'bun:test'
import { baseOffsetOf } from '../../../src/core/record/index.ts'
import type { LogRig } from './log-rig.ts'

interface State {
  startMin: number
  startMax: number
  /** Acknowledged below this. */
  durable: number
  end: number
}

export class CrashModel {
  readonly values = new Map<number, string>()
  readonly bases = new Set<number>()
  start = 0
  /** What is allowed beside the present state while an operation is under way. */
  #other: ((rig: LogRig) => State) | null = null

  append(rig: LogRig, ...values: string[]): void {
    const base = baseOffsetOf(rig.append(...values), 0)
    this.bases.add(base)
    values.forEach((value, i) => this.values.set(base + i, value))
  }

  trim(rig: LogRig, offset: number): void {
    this.#other = () => ({ startMin: this.start, startMax: offset, durable: rig.durableEnd, end: rig.log.endOffset })
    rig.clock.run(rig.log.trim(offset))
    this.#becomes(offset, rig.log.endOffset)
  }

  maintain(rig: LogRig): void {
    this.#other = () => ({
      startMin: this.start,
      startMax: rig.durableEnd,
      durable: rig.durableEnd,
      end: rig.log.endOffset,
    })
    rig.clock.run(rig.log.maintain())
    this.#becomes(rig.log.startOffset, rig.log.endOffset)
  }

  truncate(rig: LogRig, offset: number): void {
    let base = offset
    while (base > this.start && base < rig.log.endOffset && !this.bases.has(base)) base--
    this.#other = () => ({ startMin: this.start, startMax: this.start, durable: base, end: base })
    rig.clock.run(rig.log.truncateTo(offset))
    expect(rig.log.endOffset).toBe(base)
    rig.durableEnd = base
    this.#becomes(this.start, base)
  }

  reset(rig: LogRig, offset: number): void {
    this.#other = () => ({ startMin: offset, startMax: offset, durable: offset, end: offset })
    rig.clock.run(rig.log.resetTo(offset))
    rig.durableEnd = offset
    this.#becomes(offset, offset)
  }

  /** `dead` is how the log stood when it crashed, `found` what recovery made of it. */
  check(dead: LogRig, found: LogRig): void {
    const end = Math.max(dead.durableEnd, ...[...this.values.keys()].map((offset) => offset + 1))
    const states: State[] = [{ startMin: this.start, startMax: this.start, durable: dead.durableEnd, end }]
    if (this.#other !== null) states.push(this.#other(dead))
    const { log } = found
    expect(log.damage).toBeNull()
    const { values, batches, gaps } = found.readAll()
    expect(gaps).toEqual([])
    for (const { base, epoch } of batches) expect(log.epochAt(base)).toBe(epoch)
    expect(log.latestEpoch).toBeGreaterThanOrEqual(batches.at(-1)?.epoch ?? -1)
    expect(log.appendedAtMax).toBeGreaterThanOrEqual(batches.at(-1)?.appendedAt ?? 0)
    const is = { start: log.startOffset, end: log.endOffset }
    const fits = states.some(
      (state) =>
        is.start >= state.startMin &&
        is.start <= state.startMax &&
        is.end >= Math.min(state.durable, Math.max(state.end, is.start)) &&
        is.end <= Math.max(state.end, is.start),
    )
    if (!fits) throw new Error(`recovered ${JSON.stringify(is)}, allowed ${JSON.stringify(states)}`)
    for (let offset = is.start; offset < is.end; offset++) expect(values.get(offset)).toBe(this.values.get(offset)!)
    expect(values.size).toBe(is.end - is.start)
    expect(log.durableEnd).toBe(is.end)
  }

  /** After a crash that is part of the story: what was found is what is. */
  adopt(found: LogRig): void {
    this.#becomes(found.log.startOffset, found.log.endOffset)
  }

  /** A model of its own for what was found after a crash, checked. */
  copyFor(dead: LogRig, found: LogRig): CrashModel {
    this.check(dead, found)
    const copy = new CrashModel()
    for (const [offset, value] of this.values) copy.values.set(offset, value)
    for (const base of this.bases) copy.bases.add(base)
    copy.adopt(found)
    return copy
  }

  #becomes(start: number, end: number): void {
    this.#other = null
    this.start = start
    for (const offset of this.values.keys()) if (offset >= end) this.values.delete(offset)
    for (const base of this.bases) if (base >= end) this.bases.delete(base)
  }
}
