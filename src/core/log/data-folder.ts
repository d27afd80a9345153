// Who a data folder belongs to: written at its first start, the same ever after, kept in two files so that one bad sector does
// not cost it. A file is one line of JSON and, on the next, the CRC-32 of that line in hex:
//
//   {"format":1,"clusterId":"…","nodeId":1,"directoryId":"…"}
//
// The directory id is random: a node that comes back with another disk is not the node that had the data. A folder that holds
// anything but no identity is refused rather than given a new one.

import { topicIdOf } from '../base/index.ts'
import type { Codec, Disk, Events, Random } from '../ports/index.ts'
import { StorageRefusal } from './damage.ts'

export interface DataFolderIdentity {
  readonly clusterId: string
  readonly nodeId: number
  readonly directoryId: string
}

export interface DataFolderWorld {
  readonly disk: Disk
  readonly codec: Codec
  readonly random: Random
  readonly events: Events
}

const FORMAT = 1
const FILES = ['identity', 'identity.copy'] as const
const ROOT = ''
const FILE_BYTES_MAX = 4096

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true })

export class DataFolder {
  readonly identity: DataFolderIdentity
  readonly isNew: boolean

  private constructor(identity: DataFolderIdentity, isNew: boolean) {
    this.identity = identity
    this.isNew = isNew
  }

  /**
   * Reads the identity, or makes one in an empty folder. `expected`: what the operator said, if anything. `ignored`: names that
   * may be there before the first start (a lock). Throws `StorageRefusal`.
   */
  static async open(
    world: DataFolderWorld,
    expected: { clusterId?: string; nodeId?: number } = {},
    ignored: readonly string[] = [],
  ): Promise<DataFolder> {
    const found = FILES.map((name) => readIdentity(world, name))
    const good = found.filter((identity) => identity !== null)
    if (good.length === 0) return new DataFolder(await create(world, expected, ignored), true)
    const identity = good[0]!
    if (good.some((other) => !isSame(identity, other))) {
      throw new StorageRefusal('identity-unreadable', 'the two identity files of the data folder contradict each other')
    }
    refuseOther(identity, expected)
    for (const [i, name] of FILES.entries()) {
      if (found[i] !== null) continue
      world.events.warn('identity-copy-restored', { file: name })
      await write(world, name, identity)
    }
    return new DataFolder(identity, false)
  }
}

async function create(
  world: DataFolderWorld,
  expected: { clusterId?: string; nodeId?: number },
  ignored: readonly string[],
): Promise<DataFolderIdentity> {
  const known: readonly string[] = [...FILES, ...FILES.map(newName), ...ignored]
  const others = world.disk.list(ROOT).filter((name) => !known.includes(name))
  if (others.length > 0) {
    const isThere = FILES.some((name) => world.disk.exists(name))
    throw new StorageRefusal(
      isThere ? 'identity-unreadable' : 'identity-missing',
      `the data folder holds ${others.slice(0, 5).join(', ')} but ${isThere ? 'its identity files cannot be read' : 'no identity'}`,
    )
  }
  const identity: DataFolderIdentity = {
    clusterId: expected.clusterId ?? randomId(world.random),
    nodeId: expected.nodeId ?? 1,
    directoryId: randomId(world.random),
  }
  for (const name of FILES) await write(world, name, identity)
  return identity
}

function randomId(random: Random): string {
  const bytes = new Uint8Array(20)
  random.fill(bytes)
  return topicIdOf(bytes)
}

function newName(name: string): string {
  return `${name}.new`
}

async function write({ disk, codec }: DataFolderWorld, name: string, identity: DataFolderIdentity): Promise<void> {
  const { clusterId, nodeId, directoryId } = identity
  const line = JSON.stringify({ format: FORMAT, clusterId, nodeId, directoryId })
  const bytes = encoder.encode(`${line}\n${sumOf(codec, line)}\n`)
  const file = disk.open(newName(name), 'create')
  file.truncate(0)
  file.write(bytes, 0)
  await disk.sync([file])
  file.close()
  disk.rename(newName(name), name)
  await disk.syncFolder(ROOT)
}

function sumOf(codec: Codec, line: string): string {
  return codec.crc32(encoder.encode(line)).toString(16).padStart(8, '0')
}

/** Null: absent or bad. */
function readIdentity({ disk, codec }: DataFolderWorld, name: string): DataFolderIdentity | null {
  if (!disk.exists(name)) return null
  const file = disk.open(name, 'read')
  const bytes = new Uint8Array(Math.min(file.size(), FILE_BYTES_MAX))
  const count = file.read(bytes, 0)
  file.close()
  const text = textOf(bytes.subarray(0, count))
  const [line, sum, rest] = text.split('\n')
  if (line === undefined || rest !== '' || sum !== sumOf(codec, line)) return null
  const fields = JSON.parse(line) as { format: number; clusterId: string; nodeId: number; directoryId: string }
  if (fields.format !== FORMAT) {
    throw new StorageRefusal(
      'newer-format',
      `the data folder has format ${fields.format}, this version knows ${FORMAT}`,
    )
  }
  return { clusterId: fields.clusterId, nodeId: fields.nodeId, directoryId: fields.directoryId }
}

function textOf(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes)
  } catch {
    return ''
  }
}

function isSame(a: DataFolderIdentity, b: DataFolderIdentity): boolean {
  return a.clusterId === b.clusterId && a.nodeId === b.nodeId && a.directoryId === b.directoryId
}

function refuseOther(identity: DataFolderIdentity, expected: { clusterId?: string; nodeId?: number }): void {
  if (expected.clusterId !== undefined && expected.clusterId !== identity.clusterId) {
    throw new StorageRefusal(
      'foreign-cluster',
      `the data folder belongs to cluster ${identity.clusterId}, not ${expected.clusterId}`,
    )
  }
  if (expected.nodeId !== undefined && expected.nodeId !== identity.nodeId) {
    throw new StorageRefusal(
      'foreign-node',
      `the data folder belongs to node ${identity.nodeId}, not ${expected.nodeId}`,
    )
  }
}
