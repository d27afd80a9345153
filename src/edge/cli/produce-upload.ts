// naru produce --idempotency-key: all of standard input as one upload, which the broker answers as it goes and recognises when it
// comes again.

import { bytesText, CommandFailed, printJson, Progress } from './output.ts'
import type { ProduceOptions } from './produce.ts'
import { Remote } from './remote.ts'

/** One line of the streamed answer. */
interface AnswerLine {
  count?: number
  done?: boolean
  problem?: { detail?: string; title?: string; outcome?: string }
}

export async function upload(topic: string, key: string, options: ProduceOptions): Promise<void> {
  const { format } = options
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
      'idempotency-key': key,
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
