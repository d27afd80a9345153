export { socketSettings } from './socket-settings.ts'
export { Push, type PushOptions } from './push.ts'
