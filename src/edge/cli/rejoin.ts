// naru rejoin --as-new: for a broker of several whose data folder no longer holds what it once promised. It must not speak as
// the replica it was, so the folder is set aside whole, and the broker comes back as another with an empty one.

import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import { lockFolder } from '../host/index.ts'
import { CommandFailed, print } from './output.ts'

export function addRejoinCommand(program: Command): void {
  program
    .command('rejoin')
    .description('set a data folder aside that can no longer be used, to come back with an empty one')
    .requiredOption('--data <folder>', 'the data folder of a broker that is not running')
    .requiredOption(
      '--as-new',
      'as another broker: what the folder holds is set aside, not deleted, and not used again',
    )
    .addHelpText('after', '\nExample:\n  naru rejoin --as-new --data three')
    .action(({ data }: { data: string }) => rejoin(data))
}

async function rejoin(data: string): Promise<void> {
  if (!existsSync(data)) throw new CommandFailed(`there is no data folder ${data}`)
  const lock = lockFolder(data)
  if (lock.kind === 'held') throw new CommandFailed(`the data folder ${data} is in use by a broker (${lock.holder})`)
  const nodeId = nodeIdIn(data)
  const aside = unusedName(data)
  try {
    renameSync(data, aside)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new CommandFailed(`${data} cannot be set aside: ${why}; move what it holds elsewhere yourself`)
  } finally {
    lock.release()
  }
  mkdirSync(data)
  await print(`${data} is empty; what it held lies in ${aside}. Now start a new broker with it,

  naru serve --data ${data} --node-id NEW --join HOST:PORT --cluster-secret-file FILE

under a number that no broker has had, and when it is there take the vote from the one that is gone:

  naru cluster remove-voter ${nodeId ?? 'OLD'} --server http://HOST:PORT
`)
}

/** Null: it cannot be read any more. */
function nodeIdIn(data: string): number | null {
  for (const name of ['identity', 'identity.copy']) {
    try {
      const nodeId: unknown = JSON.parse(readFileSync(join(data, name), 'utf8').split('\n')[0]!).nodeId
      if (typeof nodeId === 'number') return nodeId
    } catch {
      // the copy may be whole
    }
  }
  return null
}

function unusedName(data: string): string {
  const folder = data.replace(/[/\\]+$/, '')
  for (let i = 1; ; i++) {
    const name = `${folder}.aside-${i}`
    if (!existsSync(name)) return name
  }
}
