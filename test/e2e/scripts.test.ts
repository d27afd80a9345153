// The scripts at the head of the contract, as printed there but for the port. Those of groups and of what comes later wait
// for their parts.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { appendFileSync, writeFileSync } from 'node:fs'
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
const GROW = `curl --json '{"count":8}' $T/orders/partitions`

const SEEN_MS_MAX = 10_000
const LINES = Array.from({ length: 12 }, (_, i) => `12:00:${String(i).padStart(2, '0')} "line" ${i}`)

const scratch = scratchFolder('scripts')
const appLog = join(scratch.folder, 'app.log')
let broker: BrokerProcess
let pipe: ShellRun
let tail: ShellRun

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
  await broker?.kill()
  scratch.remove()
})

async function logLines(): Promise<unknown[]> {
  const { records } = await broker.call<{ records: { value: unknown }[] }>('GET', '/v1/topics/log/records')
  return records.map((record) => record.value)
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

  test('10 grow a topic', async () => {
    await run(GROW)
    const { partitions } = await broker.call<{ partitions: unknown[] }>('GET', '/v1/topics/orders')
    expect(partitions.length).toBe(8)
  })

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
