// A cluster of compiled brokers on this machine, each with a port and a data folder of its own, both kept over restarts.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { BrokerProcess, scratchFolder, until } from './broker-process.ts'

interface ClusterStatus {
  controller: number | null
  voters: number[]
  brokers: { id: number; state: string }[]
}

const WITHIN_MS = 15_000

export class ClusterProcesses {
  readonly folder: string
  /** Of every broker. */
  readonly #flags: readonly string[]
  readonly #remove: () => void
  readonly #secretFile: string
  readonly #up = new Map<number, BrokerProcess>()
  readonly #ports = new Map<number, number>()

  private constructor(flags: readonly string[]) {
    this.#flags = flags
    const { folder, remove } = scratchFolder('cluster')
    this.folder = folder
    this.#remove = remove
    this.#secretFile = join(folder, 'secret')
    writeFileSync(this.#secretFile, 'a secret of this cluster only\n')
  }

  /** The first forms the cluster, the others join it; resolves when all vote. */
  static async start(count: number, flags: readonly string[] = []): Promise<ClusterProcesses> {
    const cluster = new ClusterProcesses(flags)
    try {
      await cluster.startBroker(1)
      await Promise.all(Array.from({ length: count - 1 }, (_, i) => cluster.startBroker(i + 2)))
      await cluster.settled(count === 2 ? 1 : count)
      return cluster
    } catch (error) {
      await cluster.end()
      throw error
    }
  }

  static async run(
    count: number,
    use: (cluster: ClusterProcesses) => Promise<void>,
    flags: readonly string[] = [],
  ): Promise<void> {
    const cluster = await ClusterProcesses.start(count, flags)
    try {
      await use(cluster)
    } finally {
      await cluster.end()
    }
  }

  /** On the port it had before, if it had one. */
  async startBroker(id: number, flags: readonly string[] = []): Promise<BrokerProcess> {
    const broker = this.spawn(id, flags)
    this.#up.set(id, broker)
    await broker.ready()
    this.#ports.set(id, broker.port)
    return broker
  }

  spawn(id: number, flags: readonly string[] = []): BrokerProcess {
    const port = this.#ports.get(id)
    const first = this.#ports.get(1)
    return BrokerProcess.spawn({
      data: join(this.folder, String(id)),
      flags: [
        ...['--node-id', String(id), '--cluster-secret-file', this.#secretFile],
        ...(id === 1 || first === undefined ? [] : ['--join', `127.0.0.1:${first}`]),
        ...(port === undefined ? [] : ['--port', String(port)]),
        ...this.#flags,
        ...flags,
      ],
    })
  }

  broker(id: number): BrokerProcess {
    return this.#up.get(id)!
  }

  get up(): number[] {
    return [...this.#up.keys()]
  }

  urlOf(id: number): string {
    return `http://127.0.0.1:${this.#ports.get(id)!}`
  }

  async kill(id: number): Promise<void> {
    await this.#up.get(id)!.kill()
    this.#up.delete(id)
  }

  status(of: number): Promise<ClusterStatus> {
    return this.broker(of).call<ClusterStatus>('GET', '/v1/cluster')
  }

  /** Every broker that is up agrees on who decides; it is one of them. */
  async controller(): Promise<number> {
    let agreed = 0
    await until(Date.now() + WITHIN_MS, async () => {
      const said = await Promise.all(this.up.map((id) => this.status(id)))
      agreed = said[0]!.controller ?? 0
      return this.up.includes(agreed) && said.every(({ controller }) => controller === agreed)
    })
    return agreed
  }

  /** So many vote, and every broker that is up is known to be. */
  settled(voters: number): Promise<void> {
    return until(Date.now() + WITHIN_MS, async () => {
      const said = await Promise.all(this.up.map((id) => this.status(id)))
      return said.every(
        (status) =>
          status.voters.length === voters &&
          this.up.every((id) => status.brokers.some((broker) => broker.id === id && broker.state === 'live')),
      )
    })
  }

  async end(): Promise<void> {
    await Promise.all([...this.#up.values()].map((broker) => broker.kill()))
    this.#remove()
  }
}
