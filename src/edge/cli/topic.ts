// naru topic …: topics and their settings.

import { type Command, InvalidArgumentError } from 'commander'
import type { TopicListView, TopicView, TrimmedView } from '../wire/index.ts'
import { CommandFailed, print, printJson, printTable } from './output.ts'
import { Remote, SERVER_DEFAULT } from './remote.ts'

interface TopicOptions {
  server: string
  json?: boolean
}

const path = (topic: string): string => `/v1/topics/${encodeURIComponent(topic)}`

export function addTopicCommand(program: Command): void {
  const topic = program.command('topic').description('create, list, describe, alter, delete and trim topics')
  const sub = (usage: string, description: string): Command =>
    topic
      .command(usage)
      .description(description)
      .option('--server <url>', 'the broker', SERVER_DEFAULT)
      .option('--json', 'print JSON')

  sub('create <topic>', 'create a topic; repeating it is fine as long as what you give agrees')
    .option('--partitions <count>', 'how many partitions', wholeNumber)
    .option('--config <key=value...>', 'settings, such as retentionMs=86400000', settings, {})
    .addHelpText('after', '\nExample:\n  naru topic create orders --partitions 4 --config retentionMs=604800000')
    .action(async (name: string, options: TopicOptions & { partitions?: number; config: Record<string, unknown> }) => {
      const { partitions, config } = options
      const body = { ...(partitions === undefined ? null : { partitions }), config }
      await show(options, await new Remote(options).call<TopicView>('PUT', path(name), body))
    })

  sub('list', 'list topics')
    .option('--prefix <text>', 'only names that begin so')
    .action(async (options: TopicOptions & { prefix?: string }) => {
      const topics = await listAll(new Remote(options), options.prefix ?? '')
      if (options.json === true) await printJson(topics)
      else
        await printTable(
          ['TOPIC', 'PARTITIONS', 'REPLICAS'],
          topics.map(({ topic, partitions, replicationFactor }) => [topic, partitions, replicationFactor]),
        )
    })

  sub('describe <topic>', 'partitions, offsets and the settings in force').action(
    async (name: string, options: TopicOptions) =>
      show(options, await new Remote(options).call<TopicView>('GET', path(name))),
  )

  sub('alter <topic>', 'change settings; `key=null` goes back to the default')
    .requiredOption('--config <key=value...>', 'settings', settings, {})
    .action(async (name: string, options: TopicOptions & { config: Record<string, unknown> }) =>
      show(options, await new Remote(options).call<TopicView>('PATCH', path(name), { config: options.config })),
    )

  sub('delete <topic>', 'delete a topic and all its records')
    .option('--yes', 'do not ask')
    .action(async (name: string, options: TopicOptions & { yes?: boolean }) => {
      if (options.yes !== true && process.stdin.isTTY) {
        if (prompt(`Delete topic ${name} and all its records? Type its name:`) !== name)
          throw new CommandFailed('not deleted')
      }
      await new Remote(options).call('DELETE', path(name))
      if (options.json === true) await printJson({ deleted: name })
      else await print(`deleted ${name}\n`)
    })

  sub('trim <topic>', 'remove the records of one partition before an offset')
    .requiredOption('--partition <number>', 'which partition', wholeNumber)
    .requiredOption('--before <offset>', 'the first offset that stays', wholeNumber)
    .action(async (name: string, options: TopicOptions & { partition: number; before: number }) => {
      const body = { partition: options.partition, beforeOffset: options.before }
      const answer = await new Remote(options).call<TrimmedView>('POST', `${path(name)}/trim`, body)
      if (options.json === true) await printJson(answer)
      else await print(`${name} partition ${options.partition} now starts at offset ${answer.logStartOffset}\n`)
    })
}

async function listAll(remote: Remote, prefix: string): Promise<TopicListView['topics']> {
  const topics: TopicListView['topics'] = []
  for (let after = ''; ;) {
    const query = new URLSearchParams({
      limit: '100',
      ...(prefix === '' ? null : { prefix }),
      ...(after === '' ? null : { after }),
    })
    const page = await remote.call<TopicListView>('GET', `/v1/topics?${query}`)
    topics.push(...page.topics)
    if (page.after === null) return topics
    after = page.after
  }
}

async function show(options: TopicOptions, topic: TopicView): Promise<void> {
  if (options.json === true) return printJson(topic)
  await print(`${topic.topic}  (${topic.topicId})\n\n`)
  await printTable(
    ['PARTITION', 'STATE', 'LEADER', 'START', 'HIGH WATERMARK'],
    topic.partitions.map((p) => [p.partition, p.state, p.leader, p.logStartOffset, p.highWatermark]),
  )
  await print('\n')
  await printTable(
    ['SETTING', 'VALUE', 'FROM'],
    Object.entries(topic.config).map(([key, { value, source }]) => [key, value, source]),
  )
}

function wholeNumber(text: string): number {
  if (!/^[0-9]{1,15}$/.test(text)) throw new InvalidArgumentError('give a whole number')
  return Number(text)
}

/** `key=value`, several of them; numbers and null as such, anything else as text. */
function settings(text: string, before: Record<string, unknown>): Record<string, unknown> {
  const equals = text.indexOf('=')
  if (equals < 1) throw new InvalidArgumentError('give key=value')
  const value = text.slice(equals + 1)
  return {
    ...before,
    [text.slice(0, equals)]: /^-?[0-9]+$/.test(value) ? Number(value) : value === 'null' ? null : value,
  }
}
