export { Push, type PushOptions } from './push.ts'
