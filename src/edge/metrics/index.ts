export { watchLoop } from './loop-lag.ts'
