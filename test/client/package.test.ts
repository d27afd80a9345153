// The package as it is installed: the README's example under Node, and its types under a strict compiler of someone else.

import { $ } from 'bun'
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { buildClient } from '../../scripts/client-package.ts'
import { BrokerProcess, scratchFolder } from '../e2e/broker-process.ts'

const ROOT = join(import.meta.dir, '../..')
const project = scratchFolder('package')
const data = scratchFolder('package-data')
let broker: BrokerProcess

beforeAll(async () => {
  await buildClient()
  mkdirSync(join(project.folder, 'node_modules'))
  symlinkSync(join(ROOT, 'dist/client'), join(project.folder, 'node_modules/naru-client'))
  writeFileSync(join(project.folder, 'package.json'), '{"type":"module"}')
  broker = await BrokerProcess.start({ data: data.folder })
}, 60_000)

afterAll(async () => {
  await broker.stop()
  project.remove()
  data.remove()
})

async function example(): Promise<string> {
  const readme = await Bun.file(join(ROOT, 'src/client/README.md')).text()
  const [, code] = /<!-- example -->\s+```js\n([\s\S]*?)```/.exec(readme)!
  return code!.replace('http://localhost:7070', broker.url)
}

test.each(['node', 'bun'])(
  'the example of the README runs under %s',
  async (runtime) => {
    const code = (await example()).replaceAll("'orders'", `'orders-${runtime}'`)
    writeFileSync(join(project.folder, `${runtime}.js`), code)
    const { stdout, stderr, exitCode } = await $`${runtime} ${runtime}.js`.cwd(project.folder).quiet().nothrow()
    expect(stderr.toString()).toBe('')
    expect(stdout.toString()).toBe('kept at 0/0\nann ordered tea\n10001 records\n')
    expect(exitCode).toBe(0)
  },
  30_000,
)

test('so does the consumer of a group that the README of the repository shows', async () => {
  const readme = await Bun.file(join(ROOT, 'README.md')).text()
  const [, code] = /<!-- group-client -->\s+```js\n([\s\S]*?)```/.exec(readme)!
  writeFileSync(join(project.folder, 'billing.js'), code!.replace('http://localhost:7070', broker.url))
  await broker.call('POST', '/v1/topics/orders/records', { records: [{ key: 'ann', value: { item: 'tea' } }] })
  const billing = Bun.spawn(['node', 'billing.js'], { cwd: project.folder, stdout: 'pipe', stderr: 'inherit' })
  const { value } = await billing.stdout.getReader().read()
  billing.kill()
  await billing.exited
  expect(new TextDecoder().decode(value)).toBe('ann tea\n')
}, 20_000)

test('its types are complete', async () => {
  writeFileSync(
    join(project.folder, 'typed.ts'),
    `import { Consumer, type ConsumedRecord, NaruError, Producer, type ProducerOptions, type RecordBatch, type Sent } from 'naru-client'
    const options: ProducerOptions = { brokers: ['http://localhost:7070'], compression: 'gzip' }
    export const sent: Promise<Sent> = new Producer(options).send('t', { value: new Uint8Array(1) })
    export async function each(batch: RecordBatch): Promise<ConsumedRecord | undefined> { return batch.records[0] }
    export const run = new Consumer({ brokers: 'http://localhost:7070', topics: 't' }).run(async (batch) => void (await each(batch)))
    export const isNone = (error: unknown): boolean => error instanceof NaruError && error.outcome === 'none' && error.code === 'disk-low'
    `,
  )
  writeFileSync(
    join(project.folder, 'wrong.ts'),
    "import { Producer } from 'naru-client'\nnew Producer({ brokers: 1 })\n",
  )
  const compilerOptions = {
    strict: true,
    noEmit: true,
    module: 'nodenext',
    target: 'es2022',
    lib: ['es2022', 'dom'],
    types: [],
  }
  writeFileSync(join(project.folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }))
  const { stdout } = await $`${join(ROOT, 'node_modules/.bin/tsc6')} -p .`.cwd(project.folder).quiet().nothrow()
  const faults = stdout
    .toString()
    .split('\n')
    .filter((line) => line.includes('error'))
  expect(faults).toEqual([expect.stringMatching(/^wrong\.ts\(2,\d+\): error TS2322/)])
}, 30_000)
