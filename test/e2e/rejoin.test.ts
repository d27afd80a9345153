// A data folder whose vote can no longer be read: the broker says what to do, and what it says works.

import { afterEach, beforeEach, expect, test } from 'bun:test'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { binaryPath, BrokerProcess, scratchFolder } from './broker-process.ts'

let scratch: ReturnType<typeof scratchFolder>
const running: BrokerProcess[] = []

beforeEach(() => {
  scratch = scratchFolder('rejoin')
})

afterEach(async () => {
  for (const broker of running.splice(0)) await broker.kill()
  scratch.remove()
})

function spawn(data: string): BrokerProcess {
  const broker = BrokerProcess.spawn({ data })
  running.push(broker)
  return broker
}

async function rejoin(...args: readonly string[]): Promise<{ code: number; output: string }> {
  const child = Bun.spawn([binaryPath(), 'rejoin', ...args], { stdout: 'pipe', stderr: 'pipe' })
  const output = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
  return { code: await child.exited, output: output.join('') }
}

test('a broker that lost its vote does not start, and comes back as a new one', async () => {
  const data = join(scratch.folder, 'data')
  const first = spawn(data)
  await first.ready()
  await first.call('POST', '/v1/topics/t/records', { value: 1 })
  expect((await rejoin('--as-new', '--data', data)).output).toContain('in use by a broker')
  expect(await first.stop()).toBe(0)

  const vote = join(data, 'metadata/vote')
  const bytes = readFileSync(vote)
  for (const at of [10, 4096 + 10]) bytes[at]! ^= 1
  writeFileSync(vote, bytes)
  const refused = spawn(data)
  expect(await refused.exited).toBe(1)
  expect(refused.output).toContain('cannot be read, in neither of its copies')
  expect(refused.output).toContain('naru rejoin --as-new')

  expect((await rejoin('--data', data)).code).toBe(2)
  expect((await rejoin('--as-new', '--data', join(scratch.folder, 'nowhere'))).output).toContain('no data folder')
  const { code, output } = await rejoin('--as-new', '--data', data)
  expect(code).toBe(0)
  expect(output).toContain('naru cluster remove-voter 1')
  expect(readdirSync(data)).toEqual([])
  expect(existsSync(join(`${data}.aside-1`, 'identity'))).toBe(true)
  expect(output).toContain(`${data}.aside-1`)
  await spawn(data).ready()
}, 30_000)
