// A broker's place in a cluster, before it starts: whose the data folder is, and how the others are reached.
//
// An empty folder given --join asks around until somebody tells which cluster that is, and is of that cluster from then on; without
// --join it is the first of a new one. A folder that has been of a cluster stays with it: whoever else is there refuses it.

import { readFileSync } from 'node:fs'
import type { BrokerCluster } from '../../core/broker/index.ts'
import { DataFolder } from '../../core/log/index.ts'
import type { Disk, Events } from '../../core/ports/index.ts'
import type { Config } from '../config.ts'
import { hostClock, hostCodec, hostRandom } from '../host/index.ts'
import {
  AddressBook,
  type DialWorld,
  introduce,
  isFinal,
  type PeerIdentity,
  PeerTransport,
  readClusterSecret,
} from '../peer/index.ts'
import { CommandFailed } from './output.ts'

export interface Place {
  readonly cluster: BrokerCluster
  readonly transport: PeerTransport
}

const ASK_AGAIN_MS = 500
const EVERYWHERE = new Set(['0.0.0.0', '::', '[::]'])

/** Null: the broker is alone. `url`: where it listens. Throws `CommandFailed`, and what the data folder refuses. */
export async function takePlace(
  config: Config,
  disk: Disk,
  url: string,
  foreignFiles: readonly string[],
  events: Events,
  directoryOf: (nodeId: number) => string | null,
): Promise<Place | null> {
  const folder = { disk, codec: hostCodec, random: hostRandom, events }
  const nodeId = config.nodeId === 0 ? {} : { nodeId: config.nodeId }
  if (config.clusterSecretFile === '') {
    await DataFolder.open(folder, nodeId, foreignFiles)
    return null
  }
  const secret = readClusterSecret(config.clusterSecretFile)
  if (secret.kind === 'unusable') throw new CommandFailed(`--cluster-secret-file: ${secret.why}`)
  const world: DialWorld = { clock: hostClock, random: hostRandom, secret: secret.secret, trusted: trustedBy(config) }
  const address = addressOf(config, url)
  const seeds = config.join.map((seed) => seedAddress(seed, config))
  const book = new AddressBook(config.data, events)
  const isNew = !disk.exists('identity') && !disk.exists('identity.copy')
  const stranger: PeerIdentity = { clusterId: null, nodeId: config.nodeId || 1, directoryId: null, address }
  const clusterId =
    isNew && seeds.length > 0 ? { clusterId: await clusterAt(world, stranger, seeds, book, events) } : {}
  const { identity } = await DataFolder.open(folder, { ...clusterId, ...nodeId }, foreignFiles)
  if (!isNew) await refuseElsewhere(world, { ...identity, address }, seeds)
  // A folder that has met others does not form a cluster, also where --join is not given again.
  const joins = seeds.length > 0 || [...book.entries()].length > 0
  const transport = new PeerTransport({ ...world, ...identity, address, book, seeds, events, directoryOf })
  const rack = config.rack === '' ? null : config.rack
  return { cluster: { peers: transport, joins, address, rack }, transport }
}

/** Asks until somebody is there. What is wrong with the one who asks ends it. */
async function clusterAt(
  world: DialWorld,
  self: PeerIdentity,
  seeds: readonly string[],
  book: AddressBook,
  events: Events,
): Promise<string> {
  for (let isWaiting = false; ; isWaiting = true) {
    for (const seed of seeds) {
      const met = await introduce(world, self, seed)
      if (met.kind === 'met' && met.peer.clusterId !== null) {
        for (const { nodeId, address } of [...met.peers, met.peer]) book.put(nodeId, address)
        return met.peer.clusterId
      }
      if (met.kind === 'refused' && isFinal(met.refused.code)) throw new CommandFailed(`${seed}: ${met.refused.reason}`)
      if (!isWaiting) {
        const why = met.kind === 'refused' ? met.refused.reason : 'it has not joined itself'
        events.warn('join-waiting', { seed: new URL(seed).host, why })
      }
    }
    await Bun.sleep(ASK_AGAIN_MS)
  }
}

/** Who does not answer may do so later: this folder has its cluster. */
async function refuseElsewhere(world: DialWorld, self: PeerIdentity, seeds: readonly string[]): Promise<void> {
  const met = await Promise.all(seeds.map((seed) => introduce(world, self, seed)))
  for (const [i, introduction] of met.entries()) {
    if (introduction.kind === 'refused' && isFinal(introduction.refused.code)) {
      throw new CommandFailed(`${seeds[i]}: ${introduction.refused.reason}`)
    }
  }
}

function addressOf(config: Config, url: string): string {
  if (config.advertise !== '') return config.advertise
  if (!EVERYWHERE.has(config.host)) return url
  throw new CommandFailed(`other brokers cannot reach ${config.host}: say with --advertise where this one is`)
}

function seedAddress(seed: string, config: Config): string {
  const address = seed.includes('://') ? seed : `${config.tlsCert === '' ? 'http' : 'https'}://${seed}`
  if (URL.canParse(address)) return address
  throw new CommandFailed(`--join: "${seed}" is not host:port`)
}

/** Brokers under TLS trust the chain they show themselves, beside what the system trusts. */
function trustedBy({ tlsCert }: Config): string | null {
  return tlsCert === '' ? null : readFileSync(tlsCert, 'utf8')
}
