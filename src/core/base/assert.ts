// A broken invariant stops the broker: going on could acknowledge what is not kept. Expected refusals are values, never
// these. Messages are constants or closures: an eagerly built template string on a hot path costs more than the check.

export class BrokenInvariant extends Error {}

export function assert(condition: boolean, message: string | (() => string)): asserts condition {
  if (!condition) throw new BrokenInvariant(typeof message === 'string' ? message : message())
}

/** The end of an exhaustive `switch`: a compile error when a case is missing. */
export function unreachable(value: never): never {
  throw new BrokenInvariant(`unreachable: ${JSON.stringify(value)}`)
}
