export { NaruError, type ClientCode, type Outcome } from './naru-error.ts'
export { Producer, type ProducerMetrics, type ProducerOptions, type Sent } from './producer.ts'
export type { ProducerRecord } from './record-encoder.ts'
