// naru produce TOPIC: lines of standard input become records, sent in batches as they come. A broker that goes away is waited for;
// each line is kept once. The first line or batch that cannot be kept ends it.

import type { Command } from 'commander'
import { NaruError, Producer } from '../../client/index.ts'
import { problemOfFault } from '../wire/index.ts'
import { LineRecords } from './line-records.ts'
import { bytesText, CommandFailed, printJson, Progress } from './output.ts'
import { upload } from './produce-upload.ts'
import { Remote, SERVER_DEFAULT } from './remote.ts'

export interface ProduceOptions {
  server: string
  format: string
  keyPointer?: string
  tagPointer?: string
  idempotencyKey?: string
  json?: boolean
}

const FORMATS = ['text', 'ndjson', 'record']
/** Read between two looks at the buffer: lines, of which some might have to wait, are fewer than may wait. */
const SLICE_BYTES = 8 * 1024
/** The line of progress is renewed also while nothing moves. */
const PROGRESS_MS = 250

export function addProduceCommand(program: Command): void {
  program
    .command('produce <topic>')
    .description('produce the lines of standard input')
    .option(
      '--format <format>',
      'text: a raw value a line · ndjson: a JSON value a line · record: a whole record a line',
      'text',
    )
    .option('--key-pointer <pointer>', 'take the key from each JSON value, such as /user/id')
    .option('--tag-pointer <pointer>', 'take a tag from each JSON value')
    .option('--idempotency-key <key>', 'repeat the same command with the same key and nothing is doubled')
    .option('--server <url>', 'the broker', SERVER_DEFAULT)
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  tail -f app.log | naru produce log\n  naru produce orders --key-pointer /customer < orders.ndjson',
    )
    .action((topic: string, options: ProduceOptions) => produce(topic, options))
}

async function produce(topic: string, given: ProduceOptions): Promise<void> {
  const points = given.keyPointer !== undefined || given.tagPointer !== undefined
  const options = points && given.format === 'text' ? { ...given, format: 'ndjson' } : given
  if (!FORMATS.includes(options.format)) throw new CommandFailed(`--format is one of ${FORMATS.join(', ')}`)
  if (points && options.format === 'record')
    throw new CommandFailed('a record names its key and tags itself: no pointers')
  if (options.idempotencyKey !== undefined) return upload(topic, options.idempotencyKey, options)
  const producing = new Producing(topic, options, await recordBytesMax(topic, options))
  await producing.run()
}

/** Nothing is produced: whether the broker takes records for the topic, which it may make, and how large they may be. */
async function recordBytesMax(topic: string, options: ProduceOptions): Promise<number> {
  const remote = new Remote(options)
  const path = `/v1/topics/${encodeURIComponent(topic)}`
  const headers = { 'content-type': 'application/octet-stream' }
  await remote.send(`${path}/records?split=lines`, { method: 'POST', body: '', headers })
  const { config } = await remote.call<{ config: { recordBytesMax: { value: number } } }>('GET', path)
  return config.recordBytesMax.value
}

interface Chunks {
  read(): Promise<{ done: boolean; value?: Uint8Array | undefined }>
}

class Producing {
  readonly #topic: string
  readonly #options: ProduceOptions
  readonly #producer: Producer
  readonly #lines: LineRecords
  readonly #progress = new Progress()
  readonly #startedAtMs = performance.now()
  #readBytes = 0
  #failure: string | null = null
  #isUncertain = false
  /** Of the latest that had to wait. */
  #room: Promise<void> | undefined

  constructor(topic: string, options: ProduceOptions, recordBytes: number) {
    this.#topic = topic
    this.#options = options
    this.#producer = new Producer({
      brokers: new Remote(options).base,
      createTopics: false,
      onError: (error) => this.#failed(error),
    })
    this.#lines = new LineRecords(options, recordBytes, (record) => {
      const room = this.#producer.add(topic, record)
      if (room !== undefined) this.#room = room.catch((error: unknown) => this.#failed(error))
    })
  }

  async run(): Promise<void> {
    const reader = Bun.stdin.stream().getReader()
    // What was read is sent before it ends; another signal ends it at once.
    let signal: NodeJS.Signals | null = null
    const stop = (received: NodeJS.Signals): void => {
      signal = received
      reader.cancel().catch(() => {})
    }
    process.once('SIGINT', stop)
    process.once('SIGTERM', stop)
    const timer = setInterval(() => this.#show(), PROGRESS_MS)
    try {
      await this.#read(reader)
      await this.#producer.flush().catch((error: unknown) => this.#failed(error))
      await this.#producer.close()
    } finally {
      clearInterval(timer)
      this.#progress.end()
      reader.cancel().catch(() => {})
    }
    await this.#tell()
    if (signal !== null) process.exitCode = signal === 'SIGINT' ? 130 : 143
  }

  async #read(reader: Chunks): Promise<void> {
    for (;;) {
      const { done, value } = await reader.read()
      for (let at = 0; value !== undefined && at < value.length; at += SLICE_BYTES) {
        if (!(await this.#take(value.subarray(at, at + SLICE_BYTES)))) return
      }
      if (done) {
        this.#check(this.#lines.end())
        return
      }
    }
  }

  /** False: no more is to be read. */
  async #take(slice: Uint8Array): Promise<boolean> {
    this.#readBytes += slice.length
    this.#check(this.#lines.push(slice))
    this.#show()
    if (this.#room !== undefined) await this.#room
    this.#room = undefined
    return this.#failure === null
  }

  #check(fault: ReturnType<LineRecords['push']>): void {
    if (fault !== null) this.#failure ??= problemOfFault(fault).detail
  }

  #failed(error: unknown): void {
    if (!(error instanceof NaruError)) throw error
    this.#failure ??= error.problem?.detail ?? error.message
    if (error.outcome !== 'none') this.#isUncertain = true
  }

  #show(): void {
    this.#progress.show(() => {
      const { recordsKept, recordsFailed, repeats } = this.#producer.metrics
      const rate = Math.round(recordsKept / ((performance.now() - this.#startedAtMs) / 1000))
      const errors = `${repeats === 0 ? '' : `  ${repeats} repeats`}${recordsFailed === 0 ? '' : `  ${recordsFailed} lost`}`
      return `${recordsKept} records  ${bytesText(this.#readBytes)}  ${rate} records/s${errors}`
    })
  }

  async #tell(): Promise<void> {
    const { recordsKept: count, recordsFailed, requests, repeats } = this.#producer.metrics
    const error = this.#failure
    if (this.#options.json === true) {
      const result = { done: error === null, topic: this.#topic, count, failed: recordsFailed, requests, repeats }
      await printJson(error === null ? result : { ...result, error })
    }
    if (error !== null) {
      const fate = this.#isUncertain ? 'may be' : 'are not'
      const failed = recordsFailed === 0 ? '' : `, ${recordsFailed} ${fate}`
      throw new CommandFailed(`${error} (${count} records are kept${failed})`)
    }
    if (this.#options.json !== true) process.stderr.write(`${count} records kept in ${this.#topic}\n`)
  }
}
