// The state file of a replica on the disk: two copies of its term and vote, each written and synced before the other
// (`core/raft/state-file.ts`). The file has its full length from the beginning, so saving needs no room.

import { assert } from '../base/index.ts'
import type { LogWorld } from '../log/index.ts'
import type { DiskFile } from '../ports/index.ts'
import {
  COPY_POSITIONS,
  decodeStateFile,
  encodeState,
  type ReplicaId,
  STATE_FILE_BYTES,
  type StateFile,
  type Vote,
} from '../raft/index.ts'

const NAME = 'vote'

export class VoteFile {
  readonly replica: ReplicaId
  readonly #folder: string
  readonly #world: LogWorld
  #file: DiskFile | null = null
  #sequence = 0
  #vote: Vote = { term: 0, votedFor: null }
  /** Saves are one after the other. */
  #saving: Promise<void> = Promise.resolve()

  constructor(folder: string, replica: ReplicaId, world: LogWorld) {
    this.#folder = folder
    this.replica = replica
    this.#world = world
  }

  get vote(): Vote {
    return this.#vote
  }

  /** What is there; a copy that is bad or old is written anew before this resolves. */
  async read(): Promise<StateFile> {
    const path = `${this.#folder}/${NAME}`
    const { disk, codec, events, commits } = this.#world
    if (!disk.exists(path)) return { kind: 'absent' }
    this.#file = disk.open(path, 'write')
    const bytes = new Uint8Array(STATE_FILE_BYTES)
    this.#file.read(bytes, 0)
    const found = decodeStateFile(bytes, codec)
    if (found.kind !== 'found') return found
    this.#sequence = found.state.sequence
    this.#vote = found.state.vote
    if (found.mend.length > 0) events.warn('vote-copy-restored', { path })
    for (const copy of found.mend) this.#write(copy, this.#vote)
    // what is seen may only be in the page cache
    await commits.syncNow([this.#file], [])
    return found
  }

  /** On a fresh folder: the file has its name once it is whole. */
  async create(vote: Vote): Promise<void> {
    const { disk, commits } = this.#world
    const path = `${this.#folder}/${NAME}`
    this.#file = disk.open(`${path}.new`, 'create')
    this.#vote = vote
    this.#sequence = 1
    this.#write(0, vote)
    this.#write(1, vote)
    await commits.syncNow([this.#file], [])
    this.#file.close()
    disk.rename(`${path}.new`, path)
    await commits.syncNow([], [this.#folder])
    this.#file = disk.open(path, 'write')
  }

  save(vote: Vote): Promise<void> {
    const saving = this.#saving.then(() => this.#save(vote))
    this.#saving = saving.catch(() => {})
    return saving
  }

  close(): void {
    this.#file?.close()
    this.#file = null
  }

  async #save(vote: Vote): Promise<void> {
    this.#sequence++
    for (const copy of [0, 1] as const) {
      this.#write(copy, vote)
      await this.#world.commits.syncNow([this.#file!], [])
    }
    this.#vote = vote
  }

  #write(copy: 0 | 1, vote: Vote): void {
    assert(this.#file !== null, 'the state file is open')
    const { replica } = this
    this.#file.write(encodeState({ replica, sequence: this.#sequence, vote }, this.#world.codec), COPY_POSITIONS[copy])
  }
}
