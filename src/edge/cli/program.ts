// The command line: commands, help that teaches, exit codes 0 done, 1 failed, 2 not understood.

import { Command, CommanderError } from 'commander'
import { addClusterCommand } from './cluster.ts'
import { addCompletionCommand } from './completion.ts'
import { addConsumeCommand } from './consume.ts'
import { addDumpCommand } from './dump.ts'
import { addGroupCommand } from './group.ts'
import { CommandFailed } from './output.ts'
import { addProduceCommand } from './produce.ts'
import { addRejoinCommand } from './rejoin.ts'
import { addServeCommand } from './serve.ts'
import { addTopicCommand } from './topic.ts'

export async function runProgram(args: readonly string[], version: string): Promise<number> {
  const program = new Command('naru')
    .description('A message queue and event log in one executable that speaks HTTP.')
    .version(version, '--version')
    .showHelpAfterError('(naru help shows what there is)')
    .addHelpText(
      'after',
      `
The first minute:
  naru serve &                                    a broker on http://localhost:7070, data in ./data
  curl -d hello localhost:7070/v1/topics/hi/records
  curl localhost:7070/v1/topics/hi/records
  naru consume hi --follow`,
    )
  addServeCommand(program)
  addTopicCommand(program)
  addClusterCommand(program)
  addProduceCommand(program)
  addConsumeCommand(program)
  addGroupCommand(program)
  addDumpCommand(program)
  addRejoinCommand(program)
  addCompletionCommand(program)
  exitOverridden(program)
  try {
    await program.parseAsync(args, { from: 'user' })
    return Number(process.exitCode ?? 0)
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    if (!(error instanceof CommandFailed)) throw error
    process.stderr.write(`naru: ${error.message}\n`)
    return 1
  }
}

/** Commander would exit by itself; every command throws instead. */
function exitOverridden(command: Command): void {
  command.exitOverride()
  for (const sub of command.commands) exitOverridden(sub)
}
