// What the core tells the operator: numbers and event lines. Neither ever carries a payload, a key or a secret.

export interface Meter {
  counter(name: string, help: string): Counter
  /** Read when scraped. */
  gauge(name: string, help: string, read: () => number): void
  /** `bounds` are upper bucket bounds, rising. */
  histogram(name: string, help: string, bounds: readonly number[]): Histogram
}

export interface Counter {
  add(count: number): void
}

export interface Histogram {
  observe(value: number): void
}

export type EventFields = Readonly<Record<string, string | number | boolean | null>>

export interface Events {
  info(event: string, fields?: EventFields): void
  warn(event: string, fields?: EventFields): void
  error(event: string, fields?: EventFields): void
}
