// A volume small enough to be filled, for what happens on a full disk. Mounting one takes root.

import { rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { scratchFolder } from './broker-process.ts'

export class SmallVolume {
  readonly folder: string
  /** False: it could not be mounted here. */
  readonly isMounted: boolean
  readonly #remove: () => void

  constructor(bytes: number) {
    const { folder, remove } = scratchFolder('volume')
    this.folder = folder
    this.#remove = remove
    const command = ['mount', '-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', folder]
    this.isMounted = process.platform === 'linux' && Bun.spawnSync(command, { stderr: 'ignore' }).exitCode === 0
    if (!this.isMounted) console.warn('full disk: skipped, a tmpfs cannot be mounted here (takes root)')
  }

  /** Blocks left. */
  get freeBlocks(): number {
    return statfsSync(this.folder).bavail
  }

  /** Takes all that is left, under the hands of whoever uses it. */
  fill(): void {
    writeFileSync(this.#ballast, Buffer.alloc(this.freeBlocks * statfsSync(this.folder).bsize))
  }

  /** Gives that back. */
  free(): void {
    rmSync(this.#ballast)
  }

  end(): void {
    if (this.isMounted) Bun.spawnSync(['umount', this.folder])
    this.#remove()
  }

  get #ballast(): string {
    return join(this.folder, 'ballast')
  }
}
