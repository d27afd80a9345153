// What brokers say to each other in a handshake: JSON, a message a text frame, held against these shapes.

import { z } from 'zod'

export const PEER_VERSION = 1

/** A broker as it names itself. Without cluster and folder: it has not joined yet, and can only be introduced. */
export interface PeerIdentity {
  readonly clusterId: string | null
  readonly nodeId: number
  readonly directoryId: string | null
  /** Where it takes requests: a URL. */
  readonly address: string
}

export interface KnownPeer {
  readonly nodeId: number
  readonly address: string
}

const Id = z.string().max(64).nullable()
const Address = z.string().max(512)
const NodeId = z.int().min(1)
const Nonce = z.string().min(32).max(128)
const who = { clusterId: Id, nodeId: NodeId, directoryId: Id, address: Address, nonce: Nonce }

export const HelloShape = z.object({
  kind: z.literal('hello'),
  versions: z.array(z.int()).max(64),
  lane: z.enum(['control', 'bulk', 'introduce']),
  ...who,
})
export const ChallengeShape = z.object({ kind: z.literal('challenge'), ...who })
export const WelcomeShape = z.object({
  kind: z.literal('welcome'),
  peers: z.array(z.object({ nodeId: NodeId, address: Address })).max(1_000),
})

export type Hello = z.output<typeof HelloShape>
export type HelloLane = Hello['lane']

/** Null: not of this shape. */
export function readMessage<Shape extends z.ZodType>(shape: Shape, text: string): z.output<Shape> | null {
  try {
    const parsed = shape.safeParse(JSON.parse(text))
    return parsed.success ? parsed.data : null
  } catch {
    return null
  }
}
