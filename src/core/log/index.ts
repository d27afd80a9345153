export { DataFolder, type DataFolderIdentity } from './data-folder.ts'
export { type Damage, StorageRefusal } from './damage.ts'
export {
  DISK_SPACE_DEFAULTS,
  type DiskLevel,
  DiskSpace,
  type DiskSpaceSettings,
  type WatermarkSetting,
} from './disk-space.ts'
export { type CommitMember, GroupCommit, type SyncRound } from './group-commit.ts'
export { JOURNAL_PATH } from './journal.ts'
export { JournaledDisk } from './journaled-disk.ts'
export { Log } from './log.ts'
export type { LogConfig } from './log-config.ts'
export type { LogListener, LogWorld } from './log-world.ts'
export type { LogRead } from './log-reader.ts'
