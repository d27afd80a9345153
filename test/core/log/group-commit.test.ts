import { expect, test } from 'bun:test'
import { type CommitMember, GroupCommit, type SyncRound } from '../../../src/core/log/index.ts'
import type { DiskFile } from '../../../src/core/ports/index.ts'
import { SimClock } from '../../sim/clock.ts'
import { SimDisk } from '../../sim/disk.ts'
import { quietMeter } from './log-rig.ts'

class Member implements CommitMember {
  readonly file: DiskFile
  hasFolder = false

  constructor(
    readonly name: string,
    disk: SimDisk,
    readonly story: string[],
  ) {
    this.file = disk.open(name, 'create')
  }

  write(): void {
    this.story.push(`${this.name} writes`)
  }

  beginSync(round: SyncRound): boolean {
    round.files.push(this.file)
    if (this.hasFolder) round.folders.add('')
    return true
  }

  synced(): void {
    this.story.push(`${this.name} synced`)
  }

  settle(): void {
    this.story.push(`${this.name} settles`)
  }

  abandon(): void {
    this.story.push(`${this.name} abandoned`)
  }
}

function rig() {
  const clock = new SimClock()
  const disk = new SimDisk(clock)
  const story: string[] = []
  const halts: string[] = []
  const commits = new GroupCommit(disk, clock, quietMeter, (why) => halts.push(why))
  const a = new Member('a', disk, story)
  const b = new Member('b', disk, story)
  disk.onCall = ({ kind, path }) => {
    if (kind === 'sync' || kind === 'sync-folder') story.push(`${kind} ${path}`)
  }
  return { clock, disk, story, halts, commits, a, b }
}

test('a round waits one quiet turn, then syncs everybody at once, and all acknowledge before any settles', () => {
  const { clock, commits, story, a, b } = rig()
  commits.add(a)
  commits.add(a)
  clock.nextTurn(() => commits.add(b))
  clock.run(commits.idle())
  expect(story).toEqual(['a writes', 'b writes', 'sync a b', 'a synced', 'b synced', 'a settles', 'b settles'])
})

test('newcomers in every turn do not hold a round longer than four turns', () => {
  const { clock, commits, story, a } = rig()
  let turns = 0
  const again = () => {
    if (turns++ >= 10) return
    commits.add(a)
    clock.nextTurn(again)
  }
  again()
  clock.run(commits.idle())
  expect(story.slice(0, 5)).toEqual(['a writes', 'a writes', 'a writes', 'a writes', 'sync a'])
})

test('what arrives during a sync is written at once and synced by the next', () => {
  const { clock, commits, story, a, b } = rig()
  commits.add(a)
  clock.pass(0.1)
  commits.add(b)
  clock.pass(0.05)
  expect(story).toEqual(['a writes', 'sync a', 'b writes'])
  clock.run(commits.idle())
  expect(story.slice(3)).toEqual(['a synced', 'a settles', 'sync b', 'b synced', 'b settles'])
})

test('a new name is synced with its round', () => {
  const { clock, commits, story, a } = rig()
  a.hasFolder = true
  commits.add(a)
  clock.run(commits.idle())
  expect(story).toEqual(['a writes', 'sync-folder ', 'sync a', 'a synced', 'a settles'])
})

test('after a failed sync nothing is written, synced or acknowledged', () => {
  const { clock, disk, commits, story, halts, a, b } = rig()
  disk.syncsUntilFailure = 1
  commits.add(a)
  clock.pass(0.1)
  commits.add(b)
  expect(() => clock.run(commits.idle())).toThrow('input/output error')
  expect(halts).toEqual(['a sync failed'])
  const before = story.length
  commits.add(b)
  clock.runAll()
  expect(story.slice(before)).toEqual(['b abandoned'])
  expect(story.filter((line) => line.includes('synced'))).toEqual([])
  expect(() => clock.run(commits.syncNow([a.file], []))).toThrow('input/output error')
})
