export type { Journal, JournalAppended, JournalListener, JournalRefusal } from './journal.ts'
export {
  type Decision,
  type Machine,
  NO_TIMERS,
  type RecordCodec,
  type TimerChange,
  UnreadableRecord,
} from './machine.ts'
export { Runtime, type RuntimeOptions, type RuntimePhase, type Submitted } from './runtime.ts'
