export { socketSettings } from './socket-settings.ts'
export { Push, type PushOptions, type SocketData } from './push.ts'
