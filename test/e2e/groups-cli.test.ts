// naru group … and naru consume --group, as typed: what they print, what they commit, and how they end.

import { afterAll, beforeAll, expect, test } from 'bun:test'
import { BrokerProcess, binaryPath, scratchFolder, until } from './broker-process.ts'

const SEEN_MS_MAX = 10_000

const { folder, remove } = scratchFolder('group-cli')
const children: Bun.Subprocess[] = []
let broker: BrokerProcess

beforeAll(async () => {
  broker = await BrokerProcess.start({ data: folder })
})
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL')
  await broker.kill()
  remove()
})

interface Ended {
  out: string
  err: string
  code: number
}

function spawned(args: readonly string[]): Bun.Subprocess<'ignore', 'pipe', 'pipe'> {
  const command = [binaryPath(), ...args, '--server', broker.url]
  const child = Bun.spawn(command, { stdin: 'ignore', stdout: 'pipe', stderr: 'pipe' })
  children.push(child)
  return child
}

async function naru(...args: string[]): Promise<Ended> {
  const child = spawned(args)
  const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited])
  return { out, err, code }
}

/** A command that goes on, and what it has printed so far. */
function running(...args: string[]): { child: Bun.Subprocess; lines: () => string[] } {
  const child = spawned(args)
  let out = ''
  const decoder = new TextDecoder()
  const read = async (): Promise<void> => {
    for await (const chunk of child.stdout) out += decoder.decode(chunk, { stream: true })
  }
  void read()
  return { child, lines: () => out.split('\n').slice(0, -1) }
}

async function produce(topic: string, values: readonly string[], partition?: number): Promise<void> {
  const at = partition === undefined ? '' : `/partitions/${partition}`
  const headers = { 'content-type': 'application/x-ndjson' }
  const sent = await fetch(`${broker.url}/v1/topics/${topic}${at}/records`, {
    method: 'POST',
    headers,
    body: values.map((value) => `${value}\n`).join(''),
  })
  expect(sent.status).toBe(200)
}

async function members(group: string): Promise<string[]> {
  const view = await broker.call<{ members: { member: string }[] }>('GET', `/v1/groups/${group}`)
  return view.members.map(({ member }) => member)
}

test('a group goes on where it was: printed is committed, and the command leaves', async () => {
  await produce('orders', ['1.50', '{"b":2,"a":9007199254740993}'])
  const first = await naru('consume', 'orders', '--group', 'billing', '--member', 'me')
  expect(first).toEqual({ out: '1.50\n{"b":2,"a":9007199254740993}\n', err: '', code: 0 })
  expect(await members('billing')).toEqual([])
  await produce('orders', ['3', '4', '5'])
  const limited = await naru('consume', 'orders', '--group', 'billing', '--limit', '1', '--json')
  expect(JSON.parse(limited.out)).toMatchObject({ topic: 'orders', partition: 0, offset: 2, value: 3 })
  expect((await naru('consume', 'orders', '--group', 'billing')).out).toBe('4\n5\n')
  expect((await naru('consume', 'orders', '--group', 'billing')).out).toBe('')
})

test('two of them share the work, and one that is interrupted hands its part over', async () => {
  await broker.call('PUT', '/v1/topics/shared', { partitions: 2 })
  const ask = ['consume', 'shared', '--group', 'pair', '--follow', '--format', 'value']
  const a = running(...ask, '--member', 'a')
  const b = running(...ask, '--member', 'b')
  const isShared = async (): Promise<boolean> => {
    const view = await broker.call<{ state: string; partitions: { member: string | null }[] }>('GET', '/v1/groups/pair')
    return view.state === 'stable' && new Set(view.partitions.map(({ member }) => member)).size === 2
  }
  await until(Date.now() + SEEN_MS_MAX, isShared)
  for (const partition of [0, 1]) await produce('shared', [`"first ${partition}"`], partition)
  await until(Date.now() + SEEN_MS_MAX, async () => a.lines().length === 1 && b.lines().length === 1)

  a.child.kill('SIGINT')
  expect(await a.child.exited).toBe(0)
  expect(await members('pair')).toEqual(['b'])
  for (const partition of [0, 1]) await produce('shared', [`"second ${partition}"`], partition)
  await until(Date.now() + SEEN_MS_MAX, async () => b.lines().length === 3)
  b.child.kill('SIGINT')
  expect(await b.child.exited).toBe(0)
  expect([...a.lines(), ...b.lines()].sort()).toEqual(['"first 0"', '"first 1"', '"second 0"', '"second 1"'])
  expect((await naru('consume', 'shared', '--group', 'pair')).out).toBe('')
})

test('a reader that goes away ends the member, and what could not be printed is for others', async () => {
  await produce('piped', ['1', '2', '3'])
  const path = `"${binaryPath()}" consume piped --group piped --member me --follow --server ${broker.url}`
  const head = Bun.spawn(['bash', '-c', `${path} | head -1; echo "\${PIPESTATUS[0]}"`], { stdout: 'pipe' })
  children.push(head)
  await until(Date.now() + SEEN_MS_MAX, async () => (await members('piped')).length === 1)
  // The first answer is read in part; the next one meets nobody.
  await until(Date.now() + SEEN_MS_MAX, async () => {
    await produce('piped', ['4'])
    return (await members('piped')).length === 0
  })
  expect(await head.stdout.text()).toBe('1\n0\n')
  const rest = (await naru('consume', 'piped', '--group', 'piped')).out
  expect(rest).toMatch(/^(?:4\n)+$/)
})

test('a follower goes on through a restart of the broker, from where it was', async () => {
  await produce('steady', ['1'])
  const follower = running('consume', 'steady', '--group', 'steady', '--member', 'me', '--follow')
  await until(Date.now() + SEEN_MS_MAX, async () => follower.lines().length === 1)
  const { port } = broker
  await broker.kill()
  broker = await BrokerProcess.start({ data: folder, flags: ['--port', String(port)] })
  await produce('steady', ['2'])
  await until(Date.now() + SEEN_MS_MAX, async () => follower.lines().length === 2)
  follower.child.kill('SIGINT')
  expect(await follower.child.exited).toBe(0)
  expect(follower.lines()).toEqual(['1', '2'])
  expect((await naru('consume', 'steady', '--group', 'steady')).out).toBe('')
})

test('groups are listed, described, reset and deleted', async () => {
  await produce('reads', ['0', '1', '2', '3'])
  await naru('consume', 'reads', '--group', 'reader', '--limit', '3')
  expect((await naru('group', 'list', '--prefix', 'read')).out).toMatch(/^GROUP +STATE +MEMBERS\nreader +empty +0\n$/)
  expect(JSON.parse((await naru('group', 'list', '--prefix', 'read', '--json')).out)).toEqual([
    { group: 'reader', state: 'empty', members: 0 },
  ])
  const described = await naru('group', 'describe', 'reader')
  expect(described.out).toMatch(/^reader +empty /)
  expect(described.out).toMatch(/^reads +0 +3 +4 +1 +-$/m)
  const member = running('consume', 'reads', '--group', 'reader', '--member', 'me', '--follow')
  await until(Date.now() + SEEN_MS_MAX, async () => member.lines().length === 1)
  expect((await naru('group', 'describe', 'reader')).out).toMatch(/^me +stable +\d+ +1 +reads$/m)
  const early = await naru('group', 'reset', 'reader', '--to', 'earliest')
  expect(early).toMatchObject({ code: 1, out: '', err: expect.stringContaining('has members (1)') })
  member.child.kill('SIGINT')
  await member.child.exited

  const dry = await naru('group', 'reset', 'reader', '--to', '-2', '--dry-run')
  expect(dry.out).toMatch(/^TOPIC +PARTITION +COMMITTED +WOULD BE\nreads +0 +4 +2\n$/)
  expect((await naru('consume', 'reads', '--group', 'reader')).out).toBe('')
  const done = await naru('group', 'reset', 'reader', '--to', '1', '--topic', 'reads', '--partition', '0', '--json')
  expect(JSON.parse(done.out)).toMatchObject({ dryRun: false, offsets: [{ before: 4, nextOffset: 1 }] })
  expect((await naru('consume', 'reads', '--group', 'reader')).out).toBe('1\n2\n3\n')
  expect((await naru('group', 'delete', 'reader')).out).toBe('deleted reader\n')
  expect(await naru('group', 'describe', 'reader')).toMatchObject({ code: 1, err: expect.stringContaining('no group') })
})

test('what does not go together is said, and what is missing is not understood', async () => {
  const apart = await naru('consume', 'orders', '--group', 'g', '--partition', '0')
  expect(apart).toMatchObject({ code: 1, err: expect.stringContaining('--partition') })
  expect(await naru('consume', 'orders', '--member', 'm')).toMatchObject({ code: 1 })
  expect(await naru('group', 'reset', 'g')).toMatchObject({ code: 2, err: expect.stringContaining('--to') })
  expect(await naru('group', 'nothing')).toMatchObject({ code: 2 })
  expect((await naru('group', '--help')).out).toContain('describe')
})
