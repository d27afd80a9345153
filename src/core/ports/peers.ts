// The other brokers of the cluster, as the core sees them. Who they are is settled before a message passes: a peer that is up
// has proved that it belongs to the cluster and has told its node id and its data folder. How to reach them (what the
// operator named, what the metadata or an earlier run told) is the transport's matter.
//
// A lane delivers in order, each message whole and at most once, or breaks. `send` only hands over: a message may be lost
// without a word, and whoever needs an answer asks again. Messages of one subject go to whoever listens to it.

/** A broker and the data folder it runs on: a node that comes back with another folder is another peer. */
export interface Peer {
  readonly nodeId: number
  readonly directoryId: string
}

/** `control` is short and never waits behind `bulk`. */
export type Lane = 'control' | 'bulk'

/** Their order is that of the byte on the wire: new ones go to the end. */
export const peerSubjects = ['raft', 'snapshot', 'forward', 'heartbeat', 'replication'] as const
export type PeerSubject = (typeof peerSubjects)[number]

/** Of one message, on either lane. */
export const PEER_MESSAGE_BYTES_MAX = 4 << 20

export interface PeerListener {
  /** `bytes` are the listener's to keep. They are as the peer sent them: bounded, not checked. */
  onMessage(from: Peer, bytes: Uint8Array): void
  /** Both lanes stand. Told at once for those already up when one begins to listen. */
  onUp?(peer: Peer): void
  /** A lane broke: what was under way may be lost. `onUp` follows when it stands again. */
  onDown?(peer: Peer): void
}

export interface Peers {
  /** False: no such peer is up, or the lane is full; nothing was sent. */
  send(to: number, lane: Lane, subject: PeerSubject, bytes: Uint8Array): boolean
  /** One listener a subject. Called from the event loop, never from inside `send` or `listen`, but for `onUp` there. */
  listen(subject: PeerSubject, listener: PeerListener): void
}

/** Of a broker alone. */
export const NO_PEERS: Peers = { send: () => false, listen: () => {} }
