// Who takes part in the quorum: a node *and* the data folder it runs on. A node whose folder was lost comes back as a new
// replica; the old one is never spoken for again. (A vote or an acknowledgement given by a lost folder must not be
// repeated by an empty one.)

declare const brand: unique symbol

export type ReplicaId = string & { readonly [brand]: 'ReplicaId' }

export function replicaIdOf(nodeId: number, directoryId: string): ReplicaId {
  return `${nodeId}.${directoryId}` as ReplicaId
}

export function nodeIdOf(replica: ReplicaId): number {
  return Number(replica.slice(0, replica.indexOf('.')))
}

const REPLICA_ID = /^(0|[1-9][0-9]{0,9})\.[A-Za-z0-9_-]{1,64}$/

export function isReplicaId(text: string): text is ReplicaId {
  return REPLICA_ID.test(text)
}
