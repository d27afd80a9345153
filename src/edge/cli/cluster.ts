// naru cluster …: the brokers, who decides, who votes.

import { type Command, InvalidArgumentError } from 'commander'
import type { BrokerListView, ClusterView, VotersView } from '../wire/index.ts'
import { print, printJson, printTable } from './output.ts'
import { Remote, SERVER_DEFAULT } from './remote.ts'

interface ClusterOptions {
  server: string
  json?: boolean
}

export function addClusterCommand(program: Command): void {
  const cluster = program.command('cluster').description('the brokers of the cluster, and who of them votes')
  const sub = (usage: string, description: string): Command =>
    cluster
      .command(usage)
      .description(description)
      .option('--server <url>', 'any broker of it', SERVER_DEFAULT)
      .option('--json', 'print JSON')

  sub('status', 'brokers, the controller, and who votes')
    .addHelpText(
      'after',
      `
A second and a third broker join a first that was started with the same secret:
  naru serve --cluster-secret-file secret                                                    the first
  naru serve --cluster-secret-file secret --join host:7070 --node-id 2 --data two --port 7071
  naru serve --cluster-secret-file secret --join host:7070 --node-id 3 --data three --port 7072
With the third all three vote, and one may be lost.`,
    )
    .action(status)

  sub('add-voter', 'let a broker vote; those that join come to vote by themselves, from one to three and to five')
    .argument('<broker>', 'its number', brokerNumber)
    .action((broker: number, options: ClusterOptions) => change('PUT', broker, options))

  sub(
    'remove-voter',
    'take the vote from a broker that is gone for good; one that is live, and does not vote, takes its place',
  )
    .argument('<broker>', 'its number', brokerNumber)
    .action((broker: number, options: ClusterOptions) => change('DELETE', broker, options))
}

async function status(options: ClusterOptions): Promise<void> {
  const remote = new Remote(options)
  const cluster = await remote.call<ClusterView>('GET', '/v1/cluster')
  const { brokers } = await remote.call<BrokerListView>('GET', '/v1/brokers')
  if (options.json === true) return printJson({ ...cluster, brokers })
  const controller = cluster.controller === null ? 'nobody decides at present' : `broker ${cluster.controller} decides`
  await print(`${cluster.clusterId}: ${controller}, ${cluster.topics} topics, ${cluster.partitions} partitions\n\n`)
  await printTable(
    ['BROKER', 'STATE', 'VOTES', 'LEADS', 'REPLICAS', 'RACK', 'ADDRESS'],
    brokers.map((one) => [
      one.id,
      one.state,
      one.isVoter ? 'yes' : 'no',
      one.leads,
      one.replicas,
      one.rack,
      one.address,
    ]),
  )
}

async function change(method: 'PUT' | 'DELETE', broker: number, options: ClusterOptions): Promise<void> {
  const { voters } = await new Remote(options).call<VotersView>(method, `/v1/cluster/voters/${broker}`)
  if (options.json === true) return printJson({ voters })
  await print(
    `${voters.length === 1 ? 'broker' : 'brokers'} ${voters.join(', ')} vote${voters.length === 1 ? 's' : ''}\n`,
  )
}

function brokerNumber(text: string): number {
  if (!/^[1-9][0-9]{0,6}$/.test(text)) throw new InvalidArgumentError('give the number of a broker')
  return Number(text)
}
