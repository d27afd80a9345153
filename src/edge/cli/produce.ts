// naru produce TOPIC: lines of standard input become records, sent as one upload that is acknowledged as it goes.

import type { Command } from 'commander'
import { bytesText, CommandFailed, printJson, Progress } from './output.ts'
import { Remote, SERVER_DEFAULT } from './remote.ts'

interface ProduceOptions {
  server: string
  format: string
  keyPointer?: string
  tagPointer?: string
  idempotencyKey?: string
  json?: boolean
}

/** One line of the streamed answer. */
interface AnswerLine {
  count?: number
  done?: boolean
  problem?: { detail?: string; title?: string; outcome?: string }
}

const FORMATS = ['text', 'ndjson', 'record']

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
    .option('--json', 'print the answer as JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  tail -f app.log | naru produce log\n  naru produce orders --key-pointer /customer < orders.ndjson',
    )
    .action((topic: string, options: ProduceOptions) => produce(topic, options))
}

async function produce(topic: string, options: ProduceOptions): Promise<void> {
  const format = options.keyPointer !== undefined && options.format === 'text' ? 'ndjson' : options.format
  if (!FORMATS.includes(format)) throw new CommandFailed(`--format is one of ${FORMATS.join(', ')}`)
  const query = new URLSearchParams({
    ...(format === 'text' ? { split: 'lines' } : null),
    ...(format === 'record' ? { format: 'record' } : null),
    ...(options.keyPointer === undefined ? null : { keyPointer: options.keyPointer }),
    ...(options.tagPointer === undefined ? null : { tagPointer: options.tagPointer }),
  })
  const progress = new Progress()
  const started = performance.now()
  let sentBytes = 0
  let kept = 0
  const line = (): string => {
    const seconds = (performance.now() - started) / 1000
    return `${kept} records  ${bytesText(sentBytes)}  ${Math.round(kept / seconds)} records/s`
  }
  const body = Bun.stdin.stream().pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        sentBytes += chunk.length
        progress.show(line)
        controller.enqueue(chunk)
      },
    }),
  )
  const response = await new Remote(options).send(`/v1/topics/${encodeURIComponent(topic)}/records?${query}`, {
    method: 'POST',
    body,
    headers: {
      'content-type': format === 'text' ? 'application/octet-stream' : 'application/x-ndjson',
      accept: 'application/x-ndjson',
      ...(options.idempotencyKey === undefined ? null : { 'idempotency-key': options.idempotencyKey }),
    },
  })
  let end: AnswerLine | null = null
  for await (const answer of linesOf(response)) {
    if (answer.done === true || answer.problem !== undefined) end = answer
    else kept += answer.count ?? 0
    progress.show(line)
  }
  progress.end()
  if (end === null)
    throw new CommandFailed(`the answer broke off: ${kept} records are kept, the fate of the rest is unknown`)
  if (options.json === true) await printJson(end)
  if (end.problem !== undefined) {
    throw new CommandFailed(`${end.problem.detail ?? end.problem.title ?? 'refused'} (${kept} records are kept)`)
  }
  if (options.json !== true) process.stderr.write(`${end.count ?? kept} records kept in ${topic}\n`)
}

async function* linesOf(response: Response): AsyncIterable<AnswerLine> {
  let rest = ''
  const decoder = new TextDecoder()
  for await (const chunk of response.body ?? []) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = lines.pop() ?? ''
    for (const text of lines) if (text.trim() !== '') yield JSON.parse(text) as AnswerLine
  }
  if (rest.trim() !== '') yield JSON.parse(rest) as AnswerLine
}
