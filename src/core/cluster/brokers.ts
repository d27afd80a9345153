// Decisions about brokers: who registers, who is heard, who has fallen silent.
//
// A broker registers at each start (a new incarnation) and is given a broker epoch. It is fenced until it has all metadata up
// to its own registration, so that it never leads by an old picture, and fenced again when nothing is heard of it for a
// session. Its node id belongs to the data folder that registered it first. Heartbeats write nothing: a session is a soft
// timer of whoever decides, full again after a load. The one who decides is alive: it never fences itself.

import type { Decision, TimerChange } from '../machine/index.ts'
import type { BrokerHeartbeat, BrokerReply, ClusterCommand, FenceBroker, RegisterBroker } from './commands.ts'
import type { BrokerImage, ClusterImage } from './image.ts'
import type { ClusterRecord } from './records.ts'

const SESSION_MS = 9_000

type BrokerDecision = Decision<ClusterRecord, BrokerReply, ClusterCommand>

export function decideRegister(image: ClusterImage, command: RegisterBroker): BrokerDecision {
  const { nodeId, incarnationId, directoryId, rack, address, isCaughtUp } = command
  const known = image.broker(nodeId)
  if (known !== null && known.directoryId !== directoryId) {
    return { records: [], reply: { kind: 'foreign-directory', nodeId, address: known.address } }
  }
  if (known !== null && known.incarnationId === incarnationId) {
    return { records: [], reply: { kind: 'registered', brokerEpoch: known.brokerEpoch } }
  }
  const brokerEpoch = Math.max(image.nextEpoch, command.epochAtLeast)
  const isFenced = !isCaughtUp
  return {
    records: [{ kind: 'broker-registered', nodeId, incarnationId, directoryId, rack, address, brokerEpoch, isFenced }],
    reply: { kind: 'registered', brokerEpoch },
  }
}

export function decideHeartbeat(image: ClusterImage, command: BrokerHeartbeat): BrokerDecision {
  const { nodeId, brokerEpoch, isCaughtUp, isStopping } = command
  const broker = image.broker(nodeId)
  if (broker === null || broker.brokerEpoch !== brokerEpoch) return { records: [], reply: { kind: 'stale-broker' } }
  const timers = [sessionOf(broker)]
  if (isStopping) {
    const records = broker.isFenced ? [] : [fenced(image, nodeId)]
    return { records, reply: { kind: 'heard', isFenced: true } }
  }
  if (!broker.isFenced) return { records: [], reply: { kind: 'heard', isFenced: false }, timers }
  if (!isCaughtUp) return { records: [], reply: { kind: 'heard', isFenced: true }, timers }
  return {
    records: [{ kind: 'broker-unfenced', nodeId, epoch: image.nextEpoch }],
    reply: { kind: 'heard', isFenced: false },
  }
}

/** The session of a broker has run out. `ownNodeId`: who decides. */
export function decideFence(image: ClusterImage, command: FenceBroker, ownNodeId: number): BrokerDecision {
  const { nodeId, brokerEpoch } = command
  const broker = image.broker(nodeId)
  const reply = { kind: 'done' } as const
  if (broker === null || broker.brokerEpoch !== brokerEpoch || broker.isFenced) return { records: [], reply }
  if (nodeId === ownNodeId) return { records: [], reply, timers: [sessionOf(broker)] }
  return { records: [fenced(image, nodeId)], reply }
}

function fenced(image: ClusterImage, nodeId: number): ClusterRecord {
  return { kind: 'broker-fenced', nodeId, epoch: image.nextEpoch }
}

/** Runs from when the broker was last heard; a fenced one has none. */
export function sessionOf({ nodeId, brokerEpoch, isFenced }: BrokerImage): TimerChange<ClusterCommand> {
  const timer = `broker/${nodeId}`
  if (isFenced) return { timer, afterMs: null }
  return { timer, afterMs: SESSION_MS, command: { kind: 'fence-broker', nodeId, brokerEpoch } }
}
