// Addresses that the contract names and that are not built yet. They are refused as such: a 404 would say that there is no
// such thing.

const LATER: readonly RegExp[] = [
  /^\/v1\/(?:tickets|transactions|schedules|reassignments|keys|access|brokers)(?:\/|$)/,
  /^\/v1\/topics\/[^/]+\/(?:queues|scheduled)(?:\/|$)/,
]

export function isLater(path: string): boolean {
  return LATER.some((pattern) => pattern.test(path))
}
