// The README's first minute, pasted as it stands but for the port.

import { afterAll, beforeAll, expect, test } from 'bun:test'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { BrokerProcess, scratchFolder, until } from './broker-process.ts'
import { sh, ShellRun } from './shell.ts'

const README = readFileSync(join(import.meta.dir, '../../README.md'), 'utf8')
const scratch = scratchFolder('readme')
let broker: BrokerProcess

beforeAll(async () => {
  broker = await BrokerProcess.start({ data: join(scratch.folder, 'data') })
})

afterAll(async () => {
  await broker.kill()
  scratch.remove()
})

test('the first minute works as pasted', async () => {
  const block = /<!-- first-minute -->\n```sh\n([\s\S]*?)```/.exec(README)?.[1]
  expect(block).toBeDefined()
  const out = await sh(block!.replace('7070', String(broker.port)), scratch.folder)
  expect(out).not.toContain('"problem')
  expect(out).not.toContain('urn:naru:problem')
  expect(out).toContain('"value":"hello"')
  expect(out).toContain('"value":{"item":"tea","price":2.50}')
  expect(out).toContain('"tags":["vip"]')
  expect(out.trimEnd().endsWith('"2"\n"3"')).toBe(true)
})

test('the consumer that is a loop of one line: what its work refuses comes again, and nothing is passed over', async () => {
  const block = /<!-- group -->\n```sh\n([\s\S]*?)```/.exec(README)?.[1]
  expect(block).toBeDefined()
  await broker.call('POST', '/v1/topics/orders/records', { records: [{ value: { item: 'rudder' } }] })
  const work = '#!/bin/sh\n[ -e tried ] || { touch tried; exit 1; }\njq -c .value >> billed\n'
  writeFileSync(join(scratch.folder, 'work'), work, { mode: 0o755 })
  const loop = new ShellRun(`N=http://localhost:${broker.port}\n${block}`, scratch.folder)
  const billed = (): string =>
    existsSync(join(scratch.folder, 'billed')) ? readFileSync(join(scratch.folder, 'billed'), 'utf8') : ''
  await until(Date.now() + 10_000, async () => billed().includes('rudder'))
  await broker.call('POST', '/v1/topics/orders/records', { records: [{ value: { item: 'sail' } }] })
  await until(Date.now() + 10_000, async () => billed().includes('sail'))
  const { partitions } = await broker.call<{ partitions: { nextOffset: number | null }[] }>('GET', '/v1/groups/billing')
  expect(partitions.some(({ nextOffset }) => nextOffset !== null)).toBe(true)
  await loop.end()
  expect(
    billed()
      .trimEnd()
      .split('\n')
      .filter((line) => line.includes('rudder')).length,
  ).toBe(1)
}, 30_000)
