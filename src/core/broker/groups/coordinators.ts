// The coordinators on this broker: one for each partition of `__groups` that it leads, opened and closed as leads come and go.
// The topic is made when the first group is; a name finds its partition by hashing.

import { assert } from '../../base/index.ts'
import { type ClusterImage, GROUPS_TOPIC, type InternalTopic } from '../../cluster/index.ts'
import { slotOfKey } from '../../record/index.ts'
import type { PlaceRefusal } from '../refusal.ts'
import type { Replica } from '../replicas.ts'
import { TopicRoute } from '../routing.ts'
import type { CoordinatorRefusal } from './asks.ts'
import { Coordinator, type CoordinatorWorld } from './coordinator.ts'

/** What coordinators need of the broker around them. */
export interface CoordinatorsHost {
  readonly image: ClusterImage
  routeOf(topic: string): TopicRoute | PlaceRefusal
  /** Makes the topic where it is not there, and waits until it is open. */
  openInternal(topic: InternalTopic): Promise<InternalRoute>
}

export type InternalRoute = TopicRoute | { kind: 'closing' | 'no-space' | 'unknown-outcome' | 'loading' }

interface Led {
  readonly replica: Replica
  readonly coordinator: Coordinator
}

const encoder = new TextEncoder()

export class Coordinators {
  readonly #host: CoordinatorsHost
  readonly #world: CoordinatorWorld
  /** By partition. */
  readonly #led = new Map<number, Led>()
  #making: Promise<CoordinatorRefusal | null> | null = null
  #hasStarted = false
  #isClosing = false

  constructor(host: CoordinatorsHost, world: Omit<CoordinatorWorld, 'groupCount'>) {
    this.#host = host
    this.#world = { ...world, groupCount: () => this.#groupCount() }
  }

  /** Loads the groups there are, beside everything else: whoever asks for one waits for that. */
  start(): void {
    this.#hasStarted = true
    this.follow()
  }

  /** Brings the coordinators in line with the partitions that are led. */
  follow(): void {
    const route = this.#host.routeOf(GROUPS_TOPIC)
    if (!this.#hasStarted || this.#isClosing || !(route instanceof TopicRoute)) return
    for (const [partition, { replica, coordinator }] of this.#led) {
      if (route.replica(partition) === replica) continue
      this.#led.delete(partition)
      void coordinator.close('coordinator-loading')
    }
    for (const replica of route.replicas) {
      if (this.#led.has(replica.partition)) continue
      this.#led.set(replica.partition, { replica, coordinator: new Coordinator(replica, this.#world) })
    }
  }

  *all(): Iterable<Coordinator> {
    for (const { coordinator } of this.#led.values()) yield coordinator
  }

  /** Null: there are no groups, and none is to be made. */
  async of(group: string, mayMake: boolean): Promise<Coordinator | CoordinatorRefusal | null> {
    if (this.#isClosing) return { kind: 'closing' }
    const coordinator = this.led(group)
    if (coordinator !== null) return coordinator
    const isThere = this.#host.image.topicNamed(GROUPS_TOPIC) !== null
    if (!isThere && !mayMake) return null
    const refusal = isThere && this.#making === null ? null : await this.#make()
    return refusal ?? this.led(group) ?? { kind: 'coordinator-loading' }
  }

  /** Null: it is not here. */
  led(group: string): Coordinator | null {
    const topic = this.#host.image.topicNamed(GROUPS_TOPIC)
    if (topic === null) return null
    const name = encoder.encode(group)
    return this.#led.get(slotOfKey(name, 0, name.length) % topic.nextPartition)?.coordinator ?? null
  }

  async close(): Promise<void> {
    this.#isClosing = true
    await this.#making
    await Promise.all([...this.all()].map((coordinator) => coordinator.close('closing')))
  }

  /** Whoever comes first makes the topic; the others wait for that. */
  #make(): Promise<CoordinatorRefusal | null> {
    this.#making ??= this.#openMade().finally(() => {
      this.#making = null
    })
    return this.#making
  }

  async #openMade(): Promise<CoordinatorRefusal | null> {
    const route = await this.#host.openInternal(GROUPS_TOPIC)
    if (!(route instanceof TopicRoute)) return { kind: route.kind === 'loading' ? 'coordinator-loading' : route.kind }
    this.follow()
    assert(this.#isClosing || this.#led.size > 0, 'a topic that is open has its coordinators')
    return null
  }

  #groupCount(): number {
    let count = 0
    for (const coordinator of this.all()) count += coordinator.groupCount
    return count
  }
}
