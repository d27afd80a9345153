// naru group …: consumer groups, who holds what, and how far they are.

import { type Command, InvalidArgumentError } from 'commander'
import type { GroupListView, GroupResetView, GroupShownView } from '../wire/index.ts'
import { CommandFailed, print, printJson, printTable } from './output.ts'
import { Remote, SERVER_DEFAULT } from './remote.ts'

interface GroupOptions {
  server: string
  json?: boolean
}

interface ResetOptions extends GroupOptions {
  to: string
  topic?: string
  partition?: number
  dryRun?: boolean
}

const path = (group: string): string => `/v1/groups/${encodeURIComponent(group)}`

export function addGroupCommand(program: Command): void {
  const group = program.command('group').description('list, describe, reset and delete consumer groups')
  const sub = (usage: string, description: string): Command =>
    group
      .command(usage)
      .description(description)
      .option('--server <url>', 'the broker', SERVER_DEFAULT)
      .option('--json', 'print JSON')

  sub('list', 'list groups')
    .option('--prefix <text>', 'only names that begin so')
    .action(async (options: GroupOptions & { prefix?: string }) => {
      const groups = await listAll(new Remote(options), options.prefix ?? '')
      if (options.json === true) return printJson(groups)
      return printTable(
        ['GROUP', 'STATE', 'MEMBERS'],
        groups.map(({ group, state, members }) => [group, state, members]),
      )
    })

  sub('describe <group>', 'its members, what each holds, and the lag of every partition').action(
    async (name: string, options: GroupOptions) =>
      show(options, await new Remote(options).call<GroupShownView>('GET', path(name))),
  )

  sub('reset <group>', 'set what is committed; the group must have no members')
    .requiredOption(
      '--to <place>',
      'earliest, latest, -N for the last N, @time such as @-24h, or an offset of one partition',
    )
    .option('--topic <topic>', 'only this topic; otherwise every topic the group has read')
    .option('--partition <number>', 'only this partition of the topic', wholeNumber)
    .option('--dry-run', 'show what would be set, and set nothing')
    .addHelpText(
      'after',
      '\nExamples:\n  naru group reset billing --to @-24h --dry-run\n  naru group reset billing --to 1200 --topic orders --partition 0',
    )
    .action(async (name: string, options: ResetOptions) => reset(name, options))

  sub('delete <group>', 'delete a group without members, and what it has committed')
    .option('--yes', 'do not ask')
    .action(async (name: string, options: GroupOptions & { yes?: boolean }) => {
      if (options.yes !== true && process.stdin.isTTY) {
        if (prompt(`Delete group ${name} and all its offsets? Type its name:`) !== name)
          throw new CommandFailed('not deleted')
      }
      await new Remote(options).call('DELETE', path(name))
      if (options.json === true) await printJson({ deleted: name })
      else await print(`deleted ${name}\n`)
    })
}

async function listAll(remote: Remote, prefix: string): Promise<GroupListView['groups']> {
  const groups: GroupListView['groups'] = []
  for (let after = ''; ;) {
    const query = new URLSearchParams({
      limit: '1000',
      ...(prefix === '' ? null : { prefix }),
      ...(after === '' ? null : { after }),
    })
    const page = await remote.call<GroupListView>('GET', `/v1/groups?${query}`)
    groups.push(...page.groups)
    if (page.after === null) return groups
    after = page.after
  }
}

async function show(options: GroupOptions, view: GroupShownView): Promise<void> {
  if (options.json === true) return printJson(view)
  const { group, state, epoch, assignor, delivery, from } = view
  await print(`${group}  ${state}  (epoch ${epoch}, ${assignor}, ${delivery}, from ${from})\n\n`)
  if (view.members.length > 0) {
    await printTable(
      ['MEMBER', 'STATE', 'GENERATION', 'HOLDS', 'TOPICS'],
      view.members.map((m) => [m.member, m.state, m.generation, countOf(m.assignment), m.topics.join(',')]),
    )
    await print('\n')
  }
  await printTable(
    ['TOPIC', 'PARTITION', 'COMMITTED', 'END', 'LAG', 'MEMBER'],
    view.partitions.map((p) => [p.topic, p.partition, p.nextOffset, p.highWatermark, p.lag, p.member]),
  )
}

function countOf(assignment: GroupShownView['members'][number]['assignment']): number {
  return assignment.reduce((sum, { partitions }) => sum + partitions.length, 0)
}

async function reset(name: string, options: ResetOptions): Promise<void> {
  const { to, topic, partition, dryRun = false } = options
  const body = {
    to,
    dryRun,
    ...(topic === undefined ? null : { topic }),
    ...(partition === undefined ? null : { partition }),
  }
  const done = await new Remote(options).call<GroupResetView>('POST', `${path(name)}/offsets/reset`, body)
  if (options.json === true) return printJson(done)
  await printTable(
    ['TOPIC', 'PARTITION', 'COMMITTED', dryRun ? 'WOULD BE' : 'NOW'],
    done.offsets.map((offset) => [offset.topic, offset.partition, offset.before, offset.nextOffset]),
  )
}

function wholeNumber(text: string): number {
  if (!/^[0-9]{1,15}$/.test(text)) throw new InvalidArgumentError('give a whole number')
  return Number(text)
}
