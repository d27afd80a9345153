// Two brokers behind TLS, with one certificate that no system trusts (localhost-cert.pem, for tests alone): clients are served over
// HTTP/1.1 and HTTP/2, and what one broker does not lead is passed on to the other.

import { readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:http2'
import { join } from 'node:path'
import { expect, test } from 'bun:test'
import { BrokerProcess, scratchFolder, until } from './broker-process.ts'

const certificate = join(import.meta.dir, 'localhost-cert.pem')
const ca = readFileSync(certificate, 'utf8')
const WITHIN_MS = 15_000

async function ask(broker: BrokerProcess, path: string, init: RequestInit = {}): Promise<Response> {
  return fetch(`https://127.0.0.1:${broker.port}${path}`, { ...init, tls: { ca } } as RequestInit)
}

function isReady(broker: BrokerProcess): Promise<void> {
  return until(Date.now() + WITHIN_MS, async () => broker.port > 0 && (await ask(broker, '/readyz')).ok)
}

function overHttp2(broker: BrokerProcess, path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const session = connect(`https://127.0.0.1:${broker.port}`, { ca })
    session.on('error', reject)
    const request = session.request({ ':path': path })
    request.on('response', (headers) => {
      resolve(Number(headers[':status']))
      session.close()
    })
    request.end()
  })
}

test('brokers behind TLS serve, and pass on to each other', async () => {
  const { folder, remove } = scratchFolder('tls')
  const secret = join(folder, 'secret')
  writeFileSync(secret, 'a secret of this cluster only\n')
  const brokers: BrokerProcess[] = []
  const start = async (id: number, ...flags: readonly string[]): Promise<BrokerProcess> => {
    const tls = ['--tls-cert', certificate, '--tls-key', join(import.meta.dir, 'localhost-key.pem')]
    const named = ['--node-id', String(id), '--cluster-secret-file', secret]
    const broker = BrokerProcess.spawn({ data: join(folder, String(id)), flags: [...tls, ...named, ...flags] })
    brokers.push(broker)
    await isReady(broker)
    return broker
  }
  try {
    const one = await start(1)
    const two = await start(2, '--join', `localhost:${one.port}`)
    const leaders = new Set<number>()
    for (const topic of ['a', 'b']) {
      expect((await ask(two, `/v1/topics/${topic}`, { method: 'PUT' })).status).toBe(201)
      for (const broker of brokers) {
        const sent = await ask(broker, `/v1/topics/${topic}/records`, { method: 'POST', body: 'x' })
        expect([sent.status, await sent.text()]).toEqual([200, expect.any(String)])
      }
      const view = (await (await ask(one, `/v1/topics/${topic}`)).json()) as { partitions: { leader: number }[] }
      leaders.add(view.partitions[0]!.leader)
      const { records } = (await (await ask(one, `/v1/topics/${topic}/records`)).json()) as { records: unknown[] }
      expect(records).toHaveLength(2)
    }
    expect(leaders).toEqual(new Set([1, 2]))
    expect(await overHttp2(one, '/healthz')).toBe(200)
    expect(
      await fetch(`http://127.0.0.1:${one.port}/healthz`).then(
        ({ status }) => status,
        () => 0,
      ),
    ).not.toBe(200)
  } finally {
    for (const broker of brokers) await broker.kill()
    remove()
  }
}, 60_000)
