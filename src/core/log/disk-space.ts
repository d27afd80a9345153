// How full the volume is, judged by three marks of free bytes. Below `hard` produce is refused while reads and deletions go on;
// below `soft` retention hurries; below `critical` not even data accepted elsewhere should be taken. A level is left again
// only with some room above its mark, so that it does not flicker.

import type { Disk, Events } from '../ports/index.ts'

export interface WatermarkSetting {
  readonly bytes: number
  /** Of the volume; the smaller of the two holds. */
  readonly percent: number
}

export interface DiskSpaceSettings {
  readonly soft: WatermarkSetting
  readonly hard: WatermarkSetting
  readonly critical: WatermarkSetting
  /** Two segments: what roll and compaction need. No mark lies below it, unless the volume is small. */
  readonly floorBytes: number
}

export type DiskLevel = 'ok' | 'soft' | 'hard' | 'critical'

const MIB = 1024 * 1024
export const DISK_SPACE_DEFAULTS: DiskSpaceSettings = {
  soft: { bytes: 2048 * MIB, percent: 10 },
  hard: { bytes: 1024 * MIB, percent: 5 },
  critical: { bytes: 256 * MIB, percent: 2 },
  floorBytes: 0,
}

const LEVELS = ['critical', 'hard', 'soft'] as const
const HYSTERESIS_PERCENT = 2
const FLOOR_PERCENT_MAX = 5

export class DiskSpace {
  readonly #disk: Disk
  readonly #events: Events
  #settings: DiskSpaceSettings
  #freeBytes = Number.POSITIVE_INFINITY
  #totalBytes = 0
  #level: DiskLevel = 'ok'

  constructor(disk: Disk, events: Events, settings: DiskSpaceSettings = DISK_SPACE_DEFAULTS) {
    this.#disk = disk
    this.#events = events
    this.#settings = settings
  }

  get level(): DiskLevel {
    return this.#level
  }

  /** Produce is refused. */
  get isLow(): boolean {
    return this.#level === 'hard' || this.#level === 'critical'
  }

  get isSoftLow(): boolean {
    return this.#level !== 'ok'
  }

  get freeBytes(): number {
    return this.#freeBytes
  }

  /** Produce needs this much free. */
  get freeBytesMin(): number {
    return this.#mark('hard')
  }

  configure(settings: DiskSpaceSettings): void {
    this.#settings = settings
    this.refresh()
  }

  refresh(): void {
    const { freeBytes, totalBytes } = this.#disk.space()
    this.#freeBytes = freeBytes
    this.#totalBytes = totalBytes
    this.#enter(this.#judge())
  }

  /** A write found no space, whatever the volume says: low until the next refresh finds otherwise. */
  noteNoSpace(): void {
    this.refresh()
    if (!this.isLow) this.#enter('hard')
  }

  #judge(): DiskLevel {
    for (const level of LEVELS) {
      const mark = this.#mark(level)
      const isInside = LEVELS.indexOf(level) >= (this.#level === 'ok' ? LEVELS.length : LEVELS.indexOf(this.#level))
      const room = isInside ? Math.min(mark, (this.#totalBytes * HYSTERESIS_PERCENT) / 100) : 0
      if (this.#freeBytes < mark + room) return level
    }
    return 'ok'
  }

  #mark(level: Exclude<DiskLevel, 'ok'>): number {
    const { bytes, percent } = this.#settings[level]
    const floor = Math.min(this.#settings.floorBytes, (this.#totalBytes * FLOOR_PERCENT_MAX) / 100)
    return Math.max(Math.min(bytes, (this.#totalBytes * percent) / 100), floor)
  }

  #enter(level: DiskLevel): void {
    if (level === this.#level) return
    const fields = { from: this.#level, to: level, freeBytes: this.#freeBytes, totalBytes: this.#totalBytes }
    this.#level = level
    if (level === 'ok') this.#events.info('disk-space', fields)
    else this.#events.warn('disk-space', fields)
  }
}
