// The default assignor: as even as subscriptions allow, and as few partitions as possible change hands.
//
// Everybody keeps what it had. What nobody has goes to those with the least. Then, as long as somebody has two more than
// another it could pass partitions to, directly or along a chain of members that share topics, one is passed: there is no
// fairer division when no such chain is left. Where all subscribe alike, no division as fair moves fewer.

import type { TopicId } from '../base/index.ts'
import type { Assignment } from './commands.ts'
import type { GroupTopic } from './topics.ts'

export interface AssignorMember {
  readonly member: string
  /** Those of its topics that exist, each once. */
  readonly topics: readonly GroupTopic[]
  /** What it was to hold until now. Where two claim one partition, the earlier in the list has it. */
  readonly previous: Assignment
}

const NOBODY = -1

interface SharedTopic {
  readonly id: TopicId
  readonly partitions: readonly number[]
  readonly subscribers: number[]
  /** Members by the partition's place in `partitions`. */
  readonly owners: Int32Array
  readonly previous: Int32Array
}

export function stickyAssignment(members: readonly AssignorMember[]): Map<string, Assignment> {
  const division = new Division(members)
  division.keep()
  division.share()
  division.even()
  return division.assignments()
}

class Division {
  readonly #members: readonly AssignorMember[]
  readonly #topics: SharedTopic[] = []
  readonly #loads: number[]
  /** Of each member and topic, how many partitions. */
  readonly #counts: Int32Array

  constructor(members: readonly AssignorMember[]) {
    this.#members = members
    const byId = new Map<TopicId, SharedTopic>()
    members.forEach(({ topics }, member) => {
      for (const { id, partitions } of topics) {
        let topic = byId.get(id)
        if (topic === undefined) {
          const owners = new Int32Array(partitions.length).fill(NOBODY)
          topic = { id, partitions, subscribers: [], owners, previous: owners.slice() }
          byId.set(id, topic)
        }
        topic.subscribers.push(member)
      }
    })
    // Those with few to choose from first, while there is choice.
    this.#topics = [...byId.values()].sort(
      (a, b) => a.subscribers.length - b.subscribers.length || (a.id < b.id ? -1 : 1),
    )
    this.#loads = members.map(() => 0)
    this.#counts = new Int32Array(members.length * this.#topics.length)
  }

  keep(): void {
    const places = new Map<TopicId, Map<number, number>>()
    for (const { id, partitions } of this.#topics)
      places.set(id, new Map(partitions.map((partition, i) => [partition, i])))
    const indexes = new Map(this.#topics.map(({ id }, t) => [id, t]))
    this.#members.forEach(({ topics, previous }, member) => {
      const subscribed = new Set(topics.map(({ id }) => id))
      for (const { topicId, partitions } of previous) {
        if (!subscribed.has(topicId)) continue
        const t = indexes.get(topicId)!
        for (const partition of partitions) {
          const place = places.get(topicId)!.get(partition)
          if (place === undefined || this.#topics[t]!.owners[place] !== NOBODY) continue
          this.#give(t, place, member)
          this.#topics[t]!.previous[place] = member
        }
      }
    })
  }

  share(): void {
    this.#topics.forEach(({ owners, subscribers }, t) => {
      const order = [...subscribers].sort((a, b) => this.#loads[a]! - this.#loads[b]!)
      // Level by level: those with no more than `level` partitions stand at the front of the order.
      let next = 0
      let level = this.#loads[order[0]!]!
      for (let place = 0; place < owners.length; place++) {
        if (owners[place] !== NOBODY) continue
        if (next === order.length || this.#loads[order[next]!]! > level) {
          next = 0
          level++
        }
        this.#give(t, place, order[next++]!)
      }
    })
  }

  even(): void {
    for (;;) {
      const byLoad = this.#members.map((_, member) => member).sort((a, b) => this.#loads[b]! - this.#loads[a]!)
      const least = this.#loads[byLoad.at(-1)!] ?? 0
      const visited = new Uint8Array(this.#members.length)
      // What can be reached from a settled member is settled too: it has no more than that member, and reaches no further.
      if (!byLoad.some((member) => visited[member] === 0 && this.#relieve(member, least, visited))) return
    }
  }

  assignments(): Map<string, Assignment> {
    const lists = this.#members.map((): { topicId: TopicId; partitions: number[] }[] => [])
    for (const { id, partitions, owners } of [...this.#topics].sort((a, b) => (a.id < b.id ? -1 : 1))) {
      owners.forEach((owner, place) => {
        if (owner === NOBODY) return
        const list = lists[owner]!
        const last = list.at(-1)
        if (last?.topicId === id) last.partitions.push(partitions[place]!)
        else list.push({ topicId: id, partitions: [partitions[place]!] })
      })
    }
    return new Map(this.#members.map(({ member }, i) => [member, lists[i]!]))
  }

  #give(t: number, place: number, member: number): void {
    const { owners } = this.#topics[t]!
    const before = owners[place]!
    if (before !== NOBODY) {
      this.#loads[before]!--
      this.#counts[before * this.#topics.length + t]!--
    }
    owners[place] = member
    this.#loads[member]!++
    this.#counts[member * this.#topics.length + t]!++
  }

  /** Passes on what `from` has too much, along the shortest chain to the one with least. False: it has not. */
  #relieve(from: number, least: number, visited: Uint8Array): boolean {
    const topicCount = this.#topics.length
    const seen = new Uint8Array(topicCount)
    const parents = new Map<number, { member: number; t: number }>()
    const queue = [from]
    visited[from] = 1
    let best = from
    search: for (const member of queue) {
      for (let t = 0; t < topicCount; t++) {
        if (seen[t] === 1 || this.#counts[member * topicCount + t] === 0) continue
        seen[t] = 1
        for (const other of this.#topics[t]!.subscribers) {
          if (other === from || parents.has(other)) continue
          parents.set(other, { member, t })
          visited[other] = 1
          queue.push(other)
          if (this.#loads[other]! < this.#loads[best]!) best = other
          if (this.#loads[best]! === least) break search
        }
      }
    }
    const surplus = this.#loads[from]! - this.#loads[best]!
    if (surplus < 2) return false
    const isDirect = parents.get(best)!.member === from
    // So many go without either of the two crossing the mean.
    const count = isDirect ? Math.max(1, Math.floor(surplus / (2 * this.#members.length))) : 1
    for (let to = best; to !== from;) {
      const { member, t } = parents.get(to)!
      this.#pass(t, member, to, count)
      to = member
    }
    return true
  }

  /** Rather what `to` had before, then what `from` did not have, from the end of the topic. */
  #pass(t: number, from: number, to: number, count: number): void {
    const { owners, previous } = this.#topics[t]!
    let left = count
    for (let preference = 0; preference < 3; preference++) {
      for (let place = owners.length - 1; place >= 0 && left > 0; place--) {
        if (owners[place] !== from) continue
        if (preference === 0 && previous[place] !== to) continue
        if (preference === 1 && previous[place] === from) continue
        this.#give(t, place, to)
        left--
      }
    }
  }
}
