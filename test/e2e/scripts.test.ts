// The scripts at the head of the contract, as printed there but for the port. What comes later waits for its parts.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { BrokerProcess, scratchFolder, until } from './broker-process.ts'
import { sh, ShellRun } from './shell.ts'

const HEAD = `N=http://localhost:7070; T=$N/v1/topics; G=$N/v1/groups; ND='accept: application/x-ndjson'`
const FIRST_MINUTE = `curl -d hello $T/hi/records; curl $T/hi/records`
const PIPE = `tail -f app.log | curl -X POST -T - "$T/log/records?split=lines"`
const TAIL = `curl -N -H "$ND" "$T/log/records?from=-10&follow=true" | jq -c .`
const RETRY_SAFE = `curl -fsS --retry 5 --retry-all-errors -H "Idempotency-Key: report-$(date -u +%F)" --json @report.json $T/reports/records`
const YESTERDAY = `curl -H "$ND" "$T/log/records?from=@-24h&until=latest"`
const TAGGED = `curl "$T/orders/records?tags=vip&wait=30s"`
const GROUP = `M=me; curl --json '{"topics":["orders"]}' -X PUT $G/bill/members/$M; C=
while r=$(curl -fsS -X POST "$G/bill/members/$M/poll?wait=30s&commit=$C"); do jq -c '.records[]' <<<"$r" | ./work && C=$(jq -r .cursor <<<"$r"); done`
const OPERATE = `curl $G/bill; curl --json '{"count":8}' $T/orders/partitions`

const SEEN_MS_MAX = 10_000
const LINES = Array.from({ length: 12 }, (_, i) => `12:00:${String(i).padStart(2, '0')} "line" ${i}`)

const scratch = scratchFolder('scripts')
const appLog = join(scratch.folder, 'app.log')
let broker: BrokerProcess
let pipe: ShellRun
let tail: ShellRun
let group: ShellRun

function start(script: string): ShellRun {
  return new ShellRun(`${HEAD.replace('7070', String(broker.port))}\n${script}`, scratch.folder)
}

function run(script: string): Promise<string> {
  return sh(`${HEAD.replace('7070', String(broker.port))}\n${script}`, scratch.folder)
}

beforeAll(async () => {
  broker = await BrokerProcess.start({ data: join(scratch.folder, 'data') })
})

afterAll(async () => {
  await pipe?.end()
  await tail?.end()
  await group?.end()
  await broker?.kill()
  scratch.remove()
})

async function logLines(): Promise<unknown[]> {
  const { records } = await broker.call<{ records: { value: unknown }[] }>('GET', '/v1/topics/log/records')
  return records.map((record) => record.value)
}

const done = join(scratch.folder, 'done.ndjson')

function workDone(): { partition: number }[] {
  const lines = readFileSync(done, 'utf8').split('\n')
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as { partition: number })
}

async function lagOf(name: string): Promise<number | null> {
  const { partitions } = await broker.call<{ partitions: { lag: number | null }[] }>('GET', `/v1/groups/${name}`)
  return partitions.reduce<number | null>((sum, { lag }) => (sum === null || lag === null ? null : sum + lag), 0)
}

describe('the scripts at the head of the contract', () => {
  test('1 first minute', async () => {
    const [produced, fetched] = (await run(FIRST_MINUTE)).split(/(?<=\})(?=\{)/)
    expect(JSON.parse(produced!)).toMatchObject({ topic: 'hi', count: 1, as: 'raw', created: true })
    expect(JSON.parse(fetched!)).toMatchObject({
      records: [{ partition: 0, offset: 0, value: 'hello' }],
      caughtUp: true,
    })
  })

  test('2 a log piped in is acknowledged as it goes', async () => {
    writeFileSync(appLog, '')
    pipe = start(PIPE)
    for (const until_ of [4, LINES.length]) {
      const from = until_ === 4 ? 0 : 4
      appendFileSync(
        appLog,
        LINES.slice(from, until_)
          .map((line) => `${line}\n`)
          .join(''),
      )
      await until(Date.now() + SEEN_MS_MAX, async () => (await logLines()).length === until_)
    }
    expect(await logLines()).toEqual(LINES)
  }, 30_000)

  test('6 a repeat under the same key gives the first result', async () => {
    writeFileSync(join(scratch.folder, 'report.json'), '{"records":[{"value":{"total":12.50}},{"value":2}]}')
    const first = await run(RETRY_SAFE)
    expect(JSON.parse(first)).toMatchObject({
      topic: 'reports',
      count: 2,
      partitions: [{ baseOffset: 0, lastOffset: 1 }],
    })
    expect(JSON.parse(await run(RETRY_SAFE))).toMatchObject({
      count: 2,
      partitions: [{ baseOffset: 0, lastOffset: 1 }],
    })
    expect(await run('curl -sS $T/reports/records | jq ".records | length"')).toBe('2\n')
  }, 20_000)

  test('7 yesterday on', async () => {
    const lines = (await run(YESTERDAY)).trimEnd().split('\n')
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual(LINES)
  })

  test('8 only what is tagged', async () => {
    await run(`curl -fsS --json '[{"value":{"id":1}},{"value":{"id":2},"tags":["vip"]}]' $T/orders/records`)
    const { records } = JSON.parse(await run(TAGGED)) as { records: unknown[] }
    expect(records).toMatchObject([{ offset: 1, value: { id: 2 }, tags: ['vip'] }])
  })

  test('4 a group consumer that commits after work', async () => {
    // It fails at first, as work does, and is given the same again.
    writeFileSync(
      join(scratch.folder, 'work'),
      '#!/bin/sh\n[ -e tried ] || { touch tried; exit 1; }\ncat >> done.ndjson\n',
      {
        mode: 0o755,
      },
    )
    writeFileSync(done, '')
    group = start(GROUP)
    await until(Date.now() + SEEN_MS_MAX, async () => workDone().length === 2)
    await run(`curl -fsS --json '[{"value":{"id":3}},{"value":{"id":4}}]' $T/orders/records`)
    await until(Date.now() + SEEN_MS_MAX, async () => workDone().length === 4)
    expect(workDone()).toMatchObject([1, 2, 3, 4].map((id) => ({ topic: 'orders', value: { id } })))
    // What was done is committed by the poll behind it.
    await until(Date.now() + SEEN_MS_MAX, async () => (await lagOf('bill')) === 0)
  }, 30_000)

  test('10 a look at the group, and a topic that grows under it', async () => {
    const [described, grown] = (await run(OPERATE)).split(/(?<=\})(?=\{)/)
    expect(JSON.parse(described!)).toMatchObject({
      group: 'bill',
      state: 'stable',
      members: [{ member: 'me', topics: ['orders'] }],
      partitions: [{ topic: 'orders', partition: 0, member: 'me', nextOffset: 4, lag: 0 }],
    })
    expect((JSON.parse(grown!) as { partitions: unknown[] }).partitions.length).toBe(8)
    await run(`for p in 1 7; do curl -fsS --json '{"value":{"id":5}}' $T/orders/partitions/$p/records; done`)
    await until(Date.now() + SEEN_MS_MAX, async () => workDone().length === 6)
    const grownInto = workDone().slice(4)
    expect(new Set(grownInto.map(({ partition }) => partition))).toEqual(new Set([1, 7]))
  }, 30_000)

  test('3 a log followed live, until the broker says goodbye', async () => {
    tail = start(TAIL)
    const fresh = 'written while somebody watches'
    // curl's progress counts what has come, in the fourth column
    const isReceiving = async (): Promise<boolean> => /\r\s*\d+\s+\S+\s+\d+\s+[1-9]/.test(tail.errSoFar)
    await until(Date.now() + SEEN_MS_MAX, isReceiving)
    appendFileSync(appLog, `${fresh}\n`)
    await until(Date.now() + SEEN_MS_MAX, async () => (await logLines()).length === LINES.length + 1)
    // jq prints what it holds when its input ends
    expect(await broker.stop()).toBe(0)
    const { out } = await tail.result
    const seen = out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown)
    expect(seen.at(-1)).toBe(fresh)
    expect(seen.length).toBeGreaterThanOrEqual(10)
    expect(seen).toEqual([...LINES, fresh].slice(-seen.length))
  }, 40_000)
})
