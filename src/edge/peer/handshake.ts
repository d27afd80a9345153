// How two brokers come to trust each other before a message passes. Both hold the cluster's secret; neither sends it.
//
//   dialer    hello              who I am, which lane I want, a fresh nonce
//   acceptor  proof, challenge   that I know the secret; who I am, a fresh nonce
//   dialer    proof              that I know it too
//   acceptor  welcome            the other brokers I know
//
// A proof is an HMAC over both texts as they were sent, labelled by its side: none can be replayed or reflected, and nobody
// in between can change who is who. Only who has proved to know the secret is told what else is wrong. The lanes `control` and
// `bulk` need the same cluster on both sides; who is about to join has none, and learns it by being introduced.

import { createHmac, timingSafeEqual } from 'node:crypto'
import {
  ChallengeShape,
  type Hello,
  HelloShape,
  type HelloLane,
  type KnownPeer,
  PEER_VERSION,
  type PeerIdentity,
  readMessage,
  WelcomeShape,
} from './hello.ts'
import { CloseCode, type Refused } from './refused.ts'

export type HandshakeStep =
  | { kind: 'send'; text: string }
  | { kind: 'refuse'; refused: Refused }
  | { kind: 'done'; lane: HelloLane; peer: PeerIdentity; peers: readonly KnownPeer[]; text: string | null }

const SECRETS_DIFFER = 'the cluster secrets differ: give every broker the same --cluster-secret-file'

export class Dialing {
  readonly hello: string
  readonly #self: PeerIdentity
  readonly #secret: string
  readonly #lane: HelloLane
  #peer: PeerIdentity | null = null

  constructor(self: PeerIdentity, secret: string, lane: HelloLane, nonce: string) {
    this.#self = self
    this.#secret = secret
    this.#lane = lane
    this.hello = JSON.stringify({ kind: 'hello', versions: [PEER_VERSION], lane, ...self, nonce })
  }

  receive(text: string): HandshakeStep {
    return this.#peer === null ? this.#challenged(text) : this.#welcomed(text, this.#peer)
  }

  #challenged(text: string): HandshakeStep {
    const [proof, plain] = splitAtLine(text)
    const challenge = readMessage(ChallengeShape, plain)
    if (challenge === null) return refuse(CloseCode.malformed, 'that is no challenge of a broker')
    if (!isSame(proof, proofOf(this.#secret, 'acceptor', this.hello, plain))) {
      return refuse(CloseCode.secret, SECRETS_DIFFER)
    }
    const { clusterId } = this.#self
    const isNew = clusterId === null && this.#lane === 'introduce'
    if (!isNew && challenge.clusterId !== clusterId) {
      return refuse(CloseCode.identity, otherCluster(challenge.clusterId, clusterId))
    }
    this.#peer = identityOf(challenge)
    return { kind: 'send', text: proofOf(this.#secret, 'dialer', this.hello, plain) }
  }

  #welcomed(text: string, peer: PeerIdentity): HandshakeStep {
    const welcome = readMessage(WelcomeShape, text)
    if (welcome === null) return refuse(CloseCode.malformed, 'that is no welcome of a broker')
    return { kind: 'done', lane: this.#lane, peer, peers: welcome.peers, text: null }
  }
}

export interface AcceptingWorld {
  readonly self: PeerIdentity
  readonly secret: string
  /** Whom this broker does not take, though it knows the secret. */
  refusalOf(hello: Hello): Refused | null
  peers(): readonly KnownPeer[]
}

export class Accepting {
  readonly #world: AcceptingWorld
  readonly #plain: string
  #greeting: { hello: Hello; text: string } | null = null

  constructor(world: AcceptingWorld, nonce: string) {
    this.#world = world
    this.#plain = JSON.stringify({ kind: 'challenge', ...world.self, nonce })
  }

  receive(text: string): HandshakeStep {
    return this.#greeting === null ? this.#greeted(text) : this.#proved(text, this.#greeting)
  }

  #greeted(text: string): HandshakeStep {
    const hello = readMessage(HelloShape, text)
    if (hello === null) return refuse(CloseCode.malformed, 'that is no hello of a broker')
    if (!hello.versions.includes(PEER_VERSION)) {
      const spoken = hello.versions.slice(0, 4).join(', ')
      const mend = 'run the same version of naru'
      return refuse(CloseCode.version, `peer protocol ${PEER_VERSION} is spoken here, not ${spoken}: ${mend}`)
    }
    this.#greeting = { hello, text }
    return { kind: 'send', text: `${proofOf(this.#world.secret, 'acceptor', text, this.#plain)}\n${this.#plain}` }
  }

  #proved(proof: string, { hello, text }: { hello: Hello; text: string }): HandshakeStep {
    const { self, secret } = this.#world
    if (!isSame(proof, proofOf(secret, 'dialer', text, this.#plain))) return refuse(CloseCode.secret, SECRETS_DIFFER)
    const isNew = hello.clusterId === null && hello.lane === 'introduce'
    if (!isNew && hello.clusterId !== self.clusterId) {
      return refuse(CloseCode.identity, otherCluster(self.clusterId, hello.clusterId))
    }
    if (!isNew && hello.directoryId === null) return refuse(CloseCode.malformed, 'a broker has a data folder')
    const refused = this.#world.refusalOf(hello)
    if (refused !== null) return { kind: 'refuse', refused }
    const welcome = JSON.stringify({ kind: 'welcome', peers: this.#world.peers() })
    return { kind: 'done', lane: hello.lane, peer: identityOf(hello), peers: [], text: welcome }
  }
}

function refuse(code: number, reason: string): HandshakeStep {
  return { kind: 'refuse', refused: { code, reason } }
}

function otherCluster(there: string | null, own: string | null): string {
  return `that cluster is ${there}, the data folder is of ${own}: join with an empty one`
}

function identityOf({ clusterId, nodeId, directoryId, address }: PeerIdentity): PeerIdentity {
  return { clusterId, nodeId, directoryId, address }
}

function proofOf(secret: string, side: 'dialer' | 'acceptor', hello: string, challenge: string): string {
  return createHmac('sha256', secret).update(`naru peer ${side}\n${hello}\n${challenge}`).digest('hex')
}

function isSame(given: string, wanted: string): boolean {
  const a = Buffer.from(given)
  const b = Buffer.from(wanted)
  return a.length === b.length && timingSafeEqual(a, b)
}

function splitAtLine(text: string): [string, string] {
  const end = text.indexOf('\n')
  return end < 0 ? ['', text] : [text.slice(0, end), text.slice(end + 1)]
}
