// naru consume TOPIC: records to standard output, a line each, up to the end or followed for as long as somebody reads.

import type { Command } from 'commander'
import { consumeAsMember } from './consume-group.ts'
import { follow } from './follow.ts'
import { CommandFailed, print } from './output.ts'
import { Remote, SERVER_DEFAULT } from './remote.ts'

interface ConsumeOptions {
  server: string
  from: string
  until?: string
  follow?: boolean
  format: string
  tags?: string
  partition?: string
  limit?: string
  group?: string
  member?: string
}

export function addConsumeCommand(program: Command): void {
  program
    .command('consume <topic>')
    .description('print the records of a topic, a line each')
    .option(
      '--from <place>',
      'earliest, latest, an offset (with --partition), -N for the last N, or @time such as @-24h (in a group: earliest, latest, none)',
      'earliest',
    )
    .option('--until <place>', 'latest, or @time: where to stop')
    .option('--follow', 'go on as records arrive, through restarts of the broker')
    .option('--format <format>', 'value: a JSON value a line · record: whole records', 'value')
    .option('--tags <tags>', 'only records with one of these tags, separated by commas')
    .option('--partition <number>', 'only this partition')
    .option('--limit <count>', 'stop after so many records')
    .option('--group <group>', 'as a member of this group: go on where it is, and commit what was printed')
    .option('--member <name>', 'the name to join the group under (made up)')
    .option('--json', 'the same as --format record')
    .option('--server <url>', 'the broker', SERVER_DEFAULT)
    .addHelpText(
      'after',
      '\nExamples:\n  naru consume log --from -10 --follow\n  naru consume orders --from @-24h --json | jq .key' +
        '\n  naru consume orders --group billing --follow | ./work',
    )
    .action((topic: string, given: ConsumeOptions & { json?: boolean }, command: Command) => {
      const options = given.json === true ? { ...given, format: 'record' } : given
      if (options.group === undefined) return consume(topic, options)
      return consumeInGroup(topic, options.group, options, command.getOptionValueSource('from') === 'cli')
    })
}

async function consume(topic: string, options: ConsumeOptions): Promise<void> {
  checkFormat(options)
  if (options.member !== undefined) throw new CommandFailed('--member goes with --group')
  const remote = new Remote(options)
  if (options.follow === true) {
    if (options.until !== undefined) throw new CommandFailed('--until ends and --follow does not: leave one out')
    return follow(topic, remote, { ...options, limit: limitOf(options) })
  }
  const path = pathOf(topic, options)
  let left = limitOf(options)
  let place: Record<string, string> = {
    from: options.from,
    ...(options.until === undefined ? null : { until: options.until }),
  }
  const shape = {
    ...(options.format === 'record' ? { format: 'record' } : null),
    ...(options.tags === undefined ? null : { tags: options.tags }),
  }
  for (;;) {
    const query = new URLSearchParams({ ...place, ...shape, limit: String(Math.min(left, 10_000)) })
    const response = await remote.send(`${path}?${query}`, ACCEPT)
    left -= await printLines(response)
    const cursor = response.headers.get('naru-cursor')
    if (left <= 0 || response.headers.get('naru-caught-up') === 'true' || cursor === null) return
    place = { cursor, ...(options.until === undefined ? null : { until: options.until }) }
  }
}

async function consumeInGroup(
  topic: string,
  group: string,
  options: ConsumeOptions,
  isFromGiven: boolean,
): Promise<void> {
  checkFormat(options)
  for (const name of ['until', 'partition'] as const) {
    if (options[name] !== undefined) throw new CommandFailed(`--${name} does not go with --group`)
  }
  await consumeAsMember(new Remote(options), {
    topic,
    group,
    member: options.member ?? `naru-${crypto.randomUUID().slice(0, 8)}`,
    from: isFromGiven ? options.from : undefined,
    tags: options.tags,
    format: options.format,
    follow: options.follow === true,
    limit: limitOf(options),
  })
}

function checkFormat({ format }: ConsumeOptions): void {
  if (format !== 'value' && format !== 'record') throw new CommandFailed('--format is value or record')
}

function limitOf({ limit }: ConsumeOptions): number {
  if (limit === undefined) return Number.POSITIVE_INFINITY
  if (/^[1-9][0-9]*$/.test(limit)) return Number(limit)
  throw new CommandFailed('--limit is a number of records, from 1')
}

const LINE_FEED = 10
const ACCEPT: RequestInit = { headers: { accept: 'application/x-ndjson' } }

function pathOf(topic: string, { partition }: ConsumeOptions): string {
  const base = `/v1/topics/${encodeURIComponent(topic)}`
  return partition === undefined ? `${base}/records` : `${base}/partitions/${encodeURIComponent(partition)}/records`
}

/** Returns how many lines there were. */
async function printLines(response: Response): Promise<number> {
  const bytes = new Uint8Array(await response.arrayBuffer())
  await print(bytes)
  let lines = 0
  for (let at = bytes.indexOf(LINE_FEED); at >= 0; at = bytes.indexOf(LINE_FEED, at + 1)) lines++
  return lines
}
