// Which broker takes a request: the one that leads all it is about.

import type { ClusterImage, TopicImage } from '../cluster/index.ts'
import type { PlaceRefusal } from './refusal.ts'

/** Null: all that is asked for is led by `nodeId`. Topics that are not known are nobody's. */
export function elsewhere(
  image: ClusterImage,
  nodeId: number,
  topics: readonly string[],
  partition: number | null,
): PlaceRefusal | null {
  let found: PlaceRefusal | null = null
  for (const [i, name] of topics.entries()) {
    const topic = image.topicNamed(name)
    const other = topic === null ? null : ledElsewhere(image, nodeId, topic, partition)
    if (i > 0 && leaderIn(other) !== leaderIn(found)) return { kind: 'several-leaders', topic: name }
    found = other
  }
  return found
}

/** Null: `nodeId` leads the topic, or that partition of it. */
export function ledElsewhere(
  image: ClusterImage,
  nodeId: number,
  { name, partitions }: TopicImage,
  partition: number | null,
): PlaceRefusal | null {
  const asked = partitions.filter((one) => partition === null || one.partition === partition)
  const leader = asked[0]?.leader
  if (asked.some((other) => other.leader !== leader)) return { kind: 'several-leaders', topic: name }
  if (leader === undefined || leader === nodeId) return null
  const broker = leader === null ? null : image.broker(leader)
  return {
    kind: 'not-leader',
    topic: name,
    leader: broker === null ? null : { nodeId: broker.nodeId, address: broker.address },
  }
}

/** Undefined: this broker. */
function leaderIn(refusal: PlaceRefusal | null): number | null | undefined {
  if (refusal === null) return undefined
  return refusal.kind === 'not-leader' ? (refusal.leader?.nodeId ?? null) : null
}
