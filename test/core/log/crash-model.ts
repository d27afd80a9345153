// What a log may look like after a crash, kept beside the log as plain maps. Everything acknowledged is there, in order; what
// was appended and not acknowledged is there up to some batch or not at all; a cut that was under way has happened
// wholly or not; a start that was being raised is the old one, the new one or, for retention, one in between.

import { expect } from 'bun:test'
import { Stuck } from '../../sim/clock.ts'
import { baseOffsetOf } from '../../../src/core/record/index.ts'
import type { LogRig } from './log-rig.ts'

interface State {
  startMin: number
  startMax: number
  /** Acknowledged below this. */
  durable: number
  end: number
}

/** A promise that a shadow of the program fulfilled counts for nothing. */
function run(rig: LogRig, done: Promise<void>): void {
  rig.clock.run(done)
  if (rig.disk.isDead) throw new Stuck('died in the last call')
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

  /** The log said that these were not kept. */
  refused(from: number): void {
    this.#forgetFrom(from)
  }

  trim(rig: LogRig, offset: number): void {
    this.#other = () => ({ startMin: this.start, startMax: offset, durable: rig.durableEnd, end: this.#end(rig) })
    run(rig, rig.log.trim(offset))
    this.#starts(offset)
  }

  maintain(rig: LogRig): void {
    this.#other = () => ({
      startMin: this.start,
      startMax: rig.durableEnd,
      durable: rig.durableEnd,
      end: this.#end(rig),
    })
    run(rig, rig.log.maintain())
    this.#starts(rig.log.startOffset)
  }

  truncate(rig: LogRig, offset: number): void {
    let base = offset
    while (base > this.start && base < rig.log.endOffset && !this.bases.has(base)) base--
    this.#other = () => ({ startMin: this.start, startMax: this.start, durable: base, end: base })
    const refusals = rig.refusedFrom.length
    run(rig, rig.log.truncateTo(offset))
    const { endOffset } = rig.log
    // what was pending may have been refused before the cut
    if (rig.refusedFrom.length > refusals) expect(endOffset).toBeLessThanOrEqual(base)
    else expect(endOffset).toBe(base)
    rig.durableEnd = endOffset
    this.#becomes(this.start, endOffset)
  }

  reset(rig: LogRig, offset: number): void {
    this.#other = () => ({ startMin: offset, startMax: offset, durable: offset, end: offset })
    run(rig, rig.log.resetTo(offset))
    rig.durableEnd = offset
    this.#becomes(offset, offset)
  }

  /** `dead` is how the log stood when it crashed, `found` what recovery made of it. */
  check(dead: LogRig, found: LogRig): void {
    const end = this.#end(dead)
    const states: State[] = [{ startMin: this.start, startMax: this.start, durable: dead.durableEnd, end }]
    if (this.#other !== null) states.push(this.#other(dead))
    const { log } = found
    expect(log.damage).toBeNull()
    const { values, batches, gaps } = found.readAll()
    expect(gaps).toEqual([])
    // not `expect`: this runs millions of times
    for (const { base, epoch } of batches) {
      if (log.epochAt(base) !== epoch) throw new Error(`epoch of ${base} is ${log.epochAt(base)}, not ${epoch}`)
    }
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
    for (let offset = is.start; offset < is.end; offset++) {
      if (values.get(offset) !== this.values.get(offset)) throw new Error(`another value at ${offset}`)
    }
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

  /** Behind all that was appended and may be there. */
  #end(rig: LogRig): number {
    return Math.max(rig.durableEnd, ...[...this.values.keys()].map((offset) => offset + 1))
  }

  #starts(start: number): void {
    this.#other = null
    this.start = start
  }

  #becomes(start: number, end: number): void {
    this.#other = null
    this.start = start
    this.#forgetFrom(end)
  }

  #forgetFrom(end: number): void {
    for (const offset of this.values.keys()) if (offset >= end) this.values.delete(offset)
    for (const base of this.bases) if (base >= end) this.bases.delete(base)
  }
}
