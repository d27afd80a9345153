// The README's first minute, pasted as it stands but for the port.

import { afterAll, beforeAll, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { BrokerProcess, scratchFolder } from './broker-process.ts'
import { sh } from './shell.ts'

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
