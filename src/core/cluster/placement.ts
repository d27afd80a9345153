// Which brokers hold a partition: leaders go round all brokers, replicas of one partition over as many racks as there are, one
// replica a broker. Brokers without a rack are one rack together. The same brokers and the same turn give the same answer.

export interface Site {
  readonly nodeId: number
  readonly rack: string | null
}

/** The brokers in an order in which neighbours are in different racks, as far as the racks are equally large. */
export function ringOf(sites: Iterable<Site>): readonly Site[] {
  const racks = new Map<string | null, Site[]>()
  for (const site of [...sites].sort((a, b) => a.nodeId - b.nodeId)) {
    const rack = racks.get(site.rack)
    if (rack === undefined) racks.set(site.rack, [site])
    else rack.push(site)
  }
  const ring: Site[] = []
  const deepest = Math.max(0, ...[...racks.values()].map((rack) => rack.length))
  for (let depth = 0; depth < deepest; depth++) {
    for (const rack of racks.values()) if (depth < rack.length) ring.push(rack[depth]!)
  }
  return ring
}

/**
 * The replicas of one partition, leader first: those it has, and more from the ring until there are `factor`, or no broker is
 * left. `turn` counts partitions: it moves the leader on by one, and once round the ring the followers too.
 */
export function placeReplicas(
  ring: readonly Site[],
  factor: number,
  turn: number,
  kept: readonly number[] = [],
): number[] {
  const replicas = [...kept]
  const count = ring.length
  if (count === 0) return replicas
  if (replicas.length === 0) replicas.push(ring[turn % count]!.nodeId)
  const first = turn + 1 + (count > 1 ? Math.floor(turn / count) % (count - 1) : 0)
  while (replicas.length < factor) {
    const next = leastUsedRack(ring, first, replicas)
    if (next === null) break
    replicas.push(next.nodeId)
  }
  return replicas
}

/** From `first` on around the ring, a broker that is not taken, of a rack that is taken least. */
function leastUsedRack(ring: readonly Site[], first: number, taken: readonly number[]): Site | null {
  let best: Site | null = null
  let bestUses = Infinity
  for (let step = 0; step < ring.length; step++) {
    const site = ring[(first + step) % ring.length]!
    if (taken.includes(site.nodeId)) continue
    const uses = ring.filter(({ nodeId, rack }) => rack === site.rack && taken.includes(nodeId)).length
    if (uses < bestUses) [best, bestUses] = [site, uses]
  }
  return best
}
