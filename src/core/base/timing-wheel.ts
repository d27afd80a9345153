// A hierarchical timing wheel: deadlines in whole milliseconds, 64 slots a wheel, each wheel 64 times coarser than the one
// below, made when a deadline first needs it. An item sits on the lowest wheel on which its deadline and the present differ
// in one digit only; when time enters its slot it moves down. `add` and `cancel` cost the same however many wait.
//
// Never early: a deadline is rounded up, the present down. Equal deadlines come out in the order they were added. The wheel
// calls nobody and reads no clock: its owner asks `nextDeadline`, sleeps, and takes what `advance` returns.

import { assert } from './assert.ts'

const SLOTS = 64

/** One waiting item, linked into its slot; also the handle that cancels it. */
export class TimingWheelHandle<Item> {
  readonly deadlineMs: number
  readonly item: Item
  /** The wheel's: null when no longer waiting. */
  previous: TimingWheelHandle<Item> | null = null
  next: TimingWheelHandle<Item> | null = null

  constructor(deadlineMs: number, item: Item) {
    this.deadlineMs = deadlineMs
    this.item = item
  }

  get isWaiting(): boolean {
    return this.next !== null
  }
}

/** Slots are circles around a head that carries no item. */
type Head<Item> = TimingWheelHandle<Item | null>

class Wheel<Item> {
  readonly heads: Head<Item>[] = []
  /** No later than any deadline in the slot; not raised by a cancel. */
  readonly earliestMs = new Float64Array(SLOTS).fill(Number.POSITIVE_INFINITY)
  /** Slots that may hold something; cleared when one is found empty. */
  low = 0
  high = 0

  constructor() {
    for (let slot = 0; slot < SLOTS; slot++) this.heads.push(circle())
  }

  add(slot: number, handle: TimingWheelHandle<Item>): void {
    append(this.heads[slot]!, handle)
    if (handle.deadlineMs < this.earliestMs[slot]!) this.earliestMs[slot] = handle.deadlineMs
    if (slot < 32) this.low |= 1 << slot
    else this.high |= 1 << (slot - 32)
  }

  clear(slot: number): void {
    this.earliestMs[slot] = Number.POSITIVE_INFINITY
    if (slot < 32) this.low &= ~(1 << slot)
    else this.high &= ~(1 << (slot - 32))
  }

  /** The first slot that holds something, or -1. */
  firstSlot(): number {
    for (;;) {
      const slot = this.low !== 0 ? lowestBit(this.low) : this.high !== 0 ? 32 + lowestBit(this.high) : -1
      if (slot < 0) return -1
      const head = this.heads[slot]!
      if (head.next !== head) return slot
      this.clear(slot)
    }
  }
}

export class TimingWheel<Item> {
  #nowMs: number
  #count = 0
  readonly #wheels: Wheel<Item>[] = []
  readonly #overdue: Head<Item> = circle()

  constructor(nowMs: number) {
    this.#nowMs = Math.floor(nowMs)
  }

  get count(): number {
    return this.#count
  }

  add(deadlineMs: number, item: Item): TimingWheelHandle<Item> {
    assert(deadlineMs < Number.MAX_SAFE_INTEGER, 'a deadline is a time')
    const handle = new TimingWheelHandle(Math.ceil(deadlineMs), item)
    this.#place(handle)
    this.#count++
    return handle
  }

  /** False: it was not waiting any more. */
  cancel(handle: TimingWheelHandle<Item>): boolean {
    if (handle.next === null) return false
    unlink(handle)
    this.#count--
    return true
  }

  /** Everything due by now, earliest deadline first. Time never goes back: an earlier `nowMs` changes nothing. */
  advance(nowMs: number): Item[] {
    const due: Item[] = []
    this.#take(this.#overdue, due)
    const target = Math.floor(nowMs)
    for (;;) {
      const level = this.#lowestLevel()
      if (level < 0) break
      const slot = this.#wheels[level]!.firstSlot()
      const slotStartMs = this.#slotStart(level, slot)
      if (slotStartMs > target) break
      this.#nowMs = slotStartMs
      this.#empty(level, slot)
      this.#take(this.#overdue, due)
    }
    if (target > this.#nowMs) this.#nowMs = target
    return due
  }

  /** At or before the earliest deadline (before it only where that was cancelled), or past like it; null when nothing waits. */
  nextDeadline(): number | null {
    if (this.#overdue.next !== this.#overdue) return this.#overdue.next!.deadlineMs
    const level = this.#lowestLevel()
    if (level < 0) return null
    const wheel = this.#wheels[level]!
    return wheel.earliestMs[wheel.firstSlot()]!
  }

  /** The lowest wheel with something on it: all of it is due before anything above. */
  #lowestLevel(): number {
    for (let level = 0; level < this.#wheels.length; level++) if (this.#wheels[level]!.firstSlot() >= 0) return level
    return -1
  }

  #slotStart(level: number, slot: number): number {
    const slotMs = SLOTS ** level
    const turnMs = slotMs * SLOTS
    return Math.floor(this.#nowMs / turnMs) * turnMs + slot * slotMs
  }

  #place(handle: TimingWheelHandle<Item>): void {
    if (handle.deadlineMs <= this.#nowMs) {
      append(this.#overdue, handle)
      return
    }
    let level = 0
    let now = this.#nowMs
    let deadline = handle.deadlineMs
    for (;;) {
      const nowAbove = Math.floor(now / SLOTS)
      const deadlineAbove = Math.floor(deadline / SLOTS)
      if (nowAbove === deadlineAbove) break
      now = nowAbove
      deadline = deadlineAbove
      level++
    }
    while (this.#wheels.length <= level) this.#wheels.push(new Wheel())
    this.#wheels[level]!.add(deadline % SLOTS, handle)
  }

  /** Moves what is in the slot down, now that time has entered it: to lower wheels, or to what is due. */
  #empty(level: number, slot: number): void {
    const wheel = this.#wheels[level]!
    const head = wheel.heads[slot]!
    let handle = head.next!
    head.next = head
    head.previous = head
    wheel.clear(slot)
    while (handle !== head) {
      const next = handle.next!
      this.#place(handle as TimingWheelHandle<Item>)
      handle = next
    }
  }

  #take(head: Head<Item>, due: Item[]): void {
    for (let handle = head.next!; handle !== head; handle = head.next!) {
      unlink(handle)
      this.#count--
      due.push((handle as TimingWheelHandle<Item>).item)
    }
  }
}

function circle<Item>(): Head<Item> {
  const head: Head<Item> = new TimingWheelHandle<Item | null>(0, null)
  head.next = head
  head.previous = head
  return head
}

function append<Item>(head: Head<Item>, handle: TimingWheelHandle<Item>): void {
  const link: TimingWheelHandle<Item | null> = handle
  link.next = head
  link.previous = head.previous
  head.previous!.next = link
  head.previous = link
}

function unlink<Item>(handle: TimingWheelHandle<Item>): void {
  handle.previous!.next = handle.next
  handle.next!.previous = handle.previous
  handle.previous = null
  handle.next = null
}

function lowestBit(bits: number): number {
  return 31 - Math.clz32(bits & -bits)
}
