// Who waits until a log is synced up to some offset, or wholly.

interface Waiter {
  readonly end: number
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

export class SyncWaiters {
  #list: Waiter[] = []

  get isEmpty(): boolean {
    return this.#list.length === 0
  }

  /** `end` infinite: until nothing is left to sync. */
  wait(end: number): Promise<void> {
    return new Promise((resolve, reject) => this.#list.push({ end, resolve, reject }))
  }

  settle(syncedEnd: number): void {
    for (const waiter of this.#list.splice(0)) {
      if (waiter.end <= syncedEnd) waiter.resolve()
      else this.#list.push(waiter)
    }
  }

  /** There will be no further sync. */
  abandon(error: unknown): void {
    for (const waiter of this.#list.splice(0)) waiter.reject(error)
  }
}
