// A double-ended queue in a ring: constant time at both ends, no shifting, memory kept at the largest length it had.

export class Deque<Item> {
  #ring: (Item | undefined)[] = new Array<Item | undefined>(16).fill(undefined)
  #first = 0
  #count = 0

  get count(): number {
    return this.#count
  }

  first(): Item | undefined {
    return this.#count === 0 ? undefined : this.#ring[this.#first]
  }

  last(): Item | undefined {
    return this.#count === 0 ? undefined : this.#ring[(this.#first + this.#count - 1) & (this.#ring.length - 1)]
  }

  /** Counted from the first; the caller stays within `count`. */
  at(index: number): Item {
    return this.#ring[(this.#first + index) & (this.#ring.length - 1)]!
  }

  push(item: Item): void {
    if (this.#count === this.#ring.length) this.#grow()
    this.#ring[(this.#first + this.#count) & (this.#ring.length - 1)] = item
    this.#count++
  }

  /** Takes the first item. */
  shift(): Item | undefined {
    if (this.#count === 0) return undefined
    const item = this.#ring[this.#first]
    this.#ring[this.#first] = undefined
    this.#first = (this.#first + 1) & (this.#ring.length - 1)
    this.#count--
    return item
  }

  /** Takes the last item. */
  pop(): Item | undefined {
    if (this.#count === 0) return undefined
    const at = (this.#first + this.#count - 1) & (this.#ring.length - 1)
    const item = this.#ring[at]
    this.#ring[at] = undefined
    this.#count--
    return item
  }

  #grow(): void {
    const wider = new Array<Item | undefined>(this.#ring.length * 2).fill(undefined)
    for (let i = 0; i < this.#count; i++) wider[i] = this.#ring[(this.#first + i) & (this.#ring.length - 1)]
    this.#ring = wider
    this.#first = 0
  }
}
