export type { Journal, JournalAppended, JournalListener, JournalRefusal } from './journal.ts'
export {
  type Decision,
  type Machine,
  NO_TIMERS,
  type RecordCodec,
  type StoredRecord,
  type TimerChange,
  unkeyed,
  UnreadableRecord,
  type ValueCodec,
} from './machine.ts'
export { Runtime, type RuntimeOptions, type RuntimePhase, type Submitted } from './runtime.ts'
