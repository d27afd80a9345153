// One process at a time owns a data folder.
//
// The operating system must drop the lock by itself when the owner is killed, and no process id may be mistaken for another,
// so it is a lock on an open file, not the existence of one. Bun offers none directly; SQLite takes exactly such a lock on every
// platform we build for (record locks on Linux and macOS, LockFileEx on Windows) and also sees a second owner inside this
// process. The database stays empty. Who holds the lock is written beside it, only to name them in the refusal. The lock lasts
// as long as what `lockFolder` returned is kept: a forgotten one is let go with the garbage.

import { Database, SQLiteError } from 'bun:sqlite'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** What the lock leaves in the folder. */
export const LOCK_FILES: readonly string[] = ['lock', 'lock.holder', 'lock-journal']

export type FolderLock = { kind: 'locked'; release: () => void } | { kind: 'held'; holder: string }

export function lockFolder(folder: string): FolderLock {
  mkdirSync(folder, { recursive: true })
  const holderPath = join(folder, 'lock.holder')
  const database = new Database(join(folder, 'lock'))
  try {
    // no journal file beside it; the mode also makes the lock outlive a transaction
    database.run('PRAGMA journal_mode = MEMORY')
    database.run('PRAGMA locking_mode = EXCLUSIVE')
    database.run('BEGIN EXCLUSIVE')
  } catch (error) {
    database.close()
    if (error instanceof SQLiteError && error.code === 'SQLITE_BUSY')
      return { kind: 'held', holder: holderOf(holderPath) }
    throw error
  }
  writeFileSync(holderPath, `process ${process.pid}, since ${new Date().toISOString()}\n`)
  return {
    kind: 'locked',
    release() {
      rmSync(holderPath, { force: true })
      database.close()
    },
  }
}

function holderOf(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    return 'another process'
  }
}
