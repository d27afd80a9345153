// The command line of the executable, as typed: what it prints, and how it ends (0 done, 1 failed, 2 not understood).

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { Glob } from 'bun'
import { createWriteStream, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import packageJson from '../../package.json'
import { binaryPath, BrokerProcess, scratchFolder, until } from './broker-process.ts'

const { folder, remove } = scratchFolder('cli')
let broker: BrokerProcess

beforeAll(async () => {
  broker = await BrokerProcess.start({ data: join(folder, 'data') })
})
afterAll(async () => {
  await broker.kill()
  remove()
})

interface Ended {
  out: string
  err: string
  code: number
}

async function naru(args: readonly string[], input = ''): Promise<Ended> {
  const child = Bun.spawn([binaryPath(), ...args], { stdin: new Blob([input]), stdout: 'pipe', stderr: 'pipe' })
  const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited])
  return { out, err, code }
}

/** A command that speaks to the broker. */
function told(args: readonly string[], input = ''): Promise<Ended> {
  return naru([...args, '--server', broker.url], input)
}

function segmentOf(topicId: string): string {
  const data = join(folder, 'data')
  return join(data, [...new Glob(`topics/${topicId}/*/*.log`).scanSync(data)][0]!)
}

describe('without a broker', () => {
  test('the version, at once', async () => {
    const started = performance.now()
    expect((await naru(['--version'])).out).toStartWith(packageJson.version)
    expect(performance.now() - started).toBeLessThan(1000)
  })

  test('help that shows what to type', async () => {
    for (const [args, example] of [
      [['--help'], 'naru serve &'],
      [['serve', '--help'], 'naru serve --data /var/lib/naru'],
      [['topic', 'create', '--help'], 'naru topic create orders'],
      [['produce', '--help'], 'tail -f app.log | naru produce log'],
      [['consume', '--help'], 'naru consume log --from -10 --follow'],
      [['dump', '--help'], 'naru dump data/topics/'],
    ] as const) {
      const { out, code } = await naru(args)
      expect(code).toBe(0)
      expect(out).toContain(example)
    }
  })

  test('what is not understood ends with 2, what fails with 1', async () => {
    for (const args of [['nothing'], ['topic', 'create'], ['serve', '--no-such-flag'], ['topic', 'trim', 'a']]) {
      const { err, code } = await naru(args)
      expect(code).toBe(2)
      expect(err).toContain('error:')
    }
    const absent = await naru(['topic', 'list', '--server', 'http://127.0.0.1:1'])
    expect(absent).toMatchObject({ code: 1, out: '', err: expect.stringContaining('is it running?') })
    const unset = await naru(['serve', '--data', join(folder, 'unused'), '--port', '70000'])
    expect(unset).toMatchObject({ code: 1, err: expect.stringContaining('--port') })
  })

  test('a completion script that its shell takes', async () => {
    const { out, code } = await naru(['completion', 'bash'])
    expect(code).toBe(0)
    const shell = Bun.spawnSync([
      'bash',
      '-c',
      `${out}\nCOMP_WORDS=(naru topic cr); COMP_CWORD=2; _naru; echo $COMPREPLY`,
    ])
    expect(shell.stdout.toString().trim()).toBe('create')
    expect((await naru(['completion', 'tcsh'])).code).toBe(1)
  })
})

describe('with a broker', () => {
  test('topics are made, shown, changed, trimmed and deleted', async () => {
    expect((await told(['topic', 'create', 'orders', '--partitions', '3'])).code).toBe(0)
    expect((await told(['topic', 'create', 'orders', '--partitions', '4'])).code).toBe(1)
    expect((await told(['topic', 'list'])).out).toMatch(/^TOPIC +PARTITIONS +REPLICAS\norders +3 +/)
    await told(['topic', 'alter', 'orders', '--config', 'retentionMs=60000'])
    const described = await told(['topic', 'describe', 'orders'])
    expect(described.out).toMatch(/^retentionMs +60000 +topic$/m)
    const refused = await told(['topic', 'alter', 'orders', '--config', 'retention=1'])
    expect(refused).toMatchObject({ code: 1, err: expect.stringContaining('retention') })

    await told(['produce', 'orders'], '1\n2\n3\n4\n')
    const { partitions } = JSON.parse((await told(['topic', 'describe', 'orders', '--json'])).out) as {
      partitions: { partition: number; highWatermark: number }[]
    }
    const full = partitions.find(({ highWatermark }) => highWatermark >= 2)!
    const trim = ['topic', 'trim', 'orders', '--partition', String(full.partition), '--before', '2']
    expect((await told(trim)).out).toBe(`orders partition ${full.partition} now starts at offset 2\n`)
    expect((await told(['topic', 'delete', 'orders'])).out).toBe('deleted orders\n')
    expect((await told(['topic', 'describe', 'orders'])).code).toBe(1)
  })

  test('a list longer than a page is whole', async () => {
    const names = Array.from({ length: 130 }, (_, i) => `many-${i}`)
    for (const name of names) await broker.call('PUT', `/v1/topics/${name}`, {})
    const listed = JSON.parse((await told(['topic', 'list', '--prefix', 'many-', '--json'])).out) as { topic: string }[]
    expect(listed.map(({ topic }) => topic).sort()).toEqual(names.sort())
  })

  test('lines go in and come out, all of them, in order', async () => {
    const lines = Array.from({ length: 50_000 }, (_, i) => `line ${i}`)
    const produced = await told(['produce', 'lines'], `${lines.join('\n')}\n`)
    expect(produced).toMatchObject({ code: 0, out: '', err: '50000 records kept in lines\n' })
    const consumed = await told(['consume', 'lines'])
    expect(consumed.code).toBe(0)
    expect(consumed.out).toBe(lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
    expect((await told(['consume', 'lines', '--from', '-2'])).out).toBe('"line 49998"\n"line 49999"\n')
    const two = await told(['consume', 'lines', '--partition', '0', '--from', '7', '--limit', '2', '--json'])
    expect(
      two.out
        .trim()
        .split('\n')
        .map((text) => (JSON.parse(text) as { offset: number }).offset),
    ).toEqual([7, 8])
  })

  test('keys come from the values, and a repeat with its key doubles nothing', async () => {
    await told(['topic', 'create', 'keyed', '--partitions', '4'])
    const lines = Array.from({ length: 100 }, (_, i) => JSON.stringify({ user: `u${i % 9}`, i })).join('\n')
    const args = ['produce', 'keyed', '--key-pointer', '/user', '--idempotency-key', 'once', '--json']
    const first = await told(args, lines)
    expect(JSON.parse(first.out)).toMatchObject({ done: true, count: 100 })
    expect((await told(args, lines)).code).toBe(0)
    const records = (await told(['consume', 'keyed', '--json'])).out.trim().split('\n')
    expect(records.length).toBe(100)
    const bad = await told(['produce', 'keyed', '--key-pointer', '/user'], '{"user":{}}\n')
    expect(bad).toMatchObject({ code: 1, err: expect.stringContaining('0 records are kept') })
  })

  test('produce keeps lines as they are, and stops at the first that cannot be kept', async () => {
    const lines = ['{"user":{"id":7},"n":12345678901234567890.10}', '{"user":{"id":"é"},"kind":"new"}', '[1e400]', '']
    const pointed = ['produce', 'kept', '--key-pointer', '/user/id', '--tag-pointer', '/kind', '--json']
    const { code, out } = await told(pointed, lines.join('\r\n'))
    expect([code, JSON.parse(out)]).toMatchObject([0, { done: true, topic: 'kept', count: 3, failed: 0 }])
    expect((await told(['consume', 'kept'])).out).toBe(lines.join('\n'))
    const records = (await told(['consume', 'kept', '--json'])).out.trim().split('\n')
    expect(records.map((record) => JSON.parse(record) as object)).toMatchObject([
      { key: '7' },
      { key: 'é', tags: ['new'] },
      { offset: 2 },
    ])
    // What consume prints as records, produce takes back, but for the places.
    const again = records.map((record) =>
      record.replace(/"partition".*?"timestamp"/, '"timestamp"').replace(/"appendedAt":\d+,/, ''),
    )
    expect((await told(['produce', 'again', '--format', 'record'], again.join('\n'))).code).toBe(0)
    expect((await told(['consume', 'again'])).out).toBe(lines.join('\n'))

    const bad = await told(['produce', 'bad', '--format', 'ndjson'], '1\n2\n{"a":\n4\n')
    expect(bad).toMatchObject({
      code: 1,
      err: 'naru: line 3: this is not JSON: it ends where more is due (2 records are kept)\n',
    })
    await told(['topic', 'alter', 'bad', '--config', 'recordBytesMax=1000'])
    const large = await told(['produce', 'bad'], `3\n${'x'.repeat(1_001)}\n4\n`)
    expect(large).toMatchObject({ code: 1, err: expect.stringContaining('line 2: the record has 1001 bytes') })
    expect((await told(['consume', 'bad'])).out).toBe('1\n2\n"3"\n')
    expect(await told(['produce', '__x'], '1\n')).toMatchObject({
      code: 1,
      err: expect.stringContaining('belong to the broker'),
    })
  })

  test('produce outlives its broker: each line once, in order', async () => {
    const data = join(folder, 'outlived')
    let own = await BrokerProcess.start({ data })
    const child = Bun.spawn([binaryPath(), 'produce', 'lasting', '--server', own.url], {
      stdin: 'pipe',
      stderr: 'pipe',
    })
    const write = async (from: number, to: number): Promise<void> => {
      for (let n = from; n < to; n++) void child.stdin.write(`${n}\n`)
      await child.stdin.flush()
    }
    const kept = async (): Promise<{ value: string }[]> =>
      (await own.call<{ records: { value: string }[] }>('GET', '/v1/topics/lasting/records?limit=100000')).records
    try {
      await write(0, 1_000)
      await until(Date.now() + 10_000, async () => (await kept()).length > 0)
      const flags = ['--port', String(own.port)]
      await own.kill()
      await write(1_000, 2_000)
      own = await BrokerProcess.start({ data, flags })
      await write(2_000, 3_000)
      await child.stdin.end()
      expect(await child.exited).toBe(0)
      expect(await child.stderr.text()).toBe('3000 records kept in lasting\n')
      expect((await kept()).map(({ value }) => Number(value))).toEqual(Array.from({ length: 3_000 }, (_, n) => n))
    } finally {
      child.kill()
      await own.kill()
    }
  }, 20_000)

  test('produce shows its progress on a terminal', async () => {
    const fifo = join(folder, 'lines')
    Bun.spawnSync(['mkfifo', fifo])
    const command = `${binaryPath()} produce watched --server ${broker.url} < ${fifo}`
    const child = Bun.spawn(['script', '-qfec', command, '/dev/null'], { stdin: 'ignore', stdout: 'pipe' })
    const lines = createWriteStream(fifo)
    let shown = ''
    const reading = (async () => {
      for await (const chunk of child.stdout) shown += Buffer.from(chunk).toString()
    })()
    lines.write('some line\n'.repeat(1_000))
    await until(Date.now() + 5_000, async () => /\r\S*1000 records  9.8 KiB  \d+ records\/s/.test(shown))
    lines.end()
    await reading
    expect(await child.exited).toBe(0)
    expect(shown).toEndWith('1000 records kept in watched\r\n')
  })

  test('--follow shows what comes, and a reader that goes away ends it quietly', async () => {
    await told(['produce', 'live'], 'one\n')
    const follower = Bun.spawn([binaryPath(), 'consume', 'live', '--follow', '--server', broker.url], {
      stdout: 'pipe',
      stderr: 'pipe',
    })
    const reader = follower.stdout.getReader()
    const read = async () => Buffer.from((await reader.read()).value ?? []).toString()
    expect(await read()).toBe('"one"\n')
    await told(['produce', 'live'], 'two\n')
    expect(await read()).toBe('"two"\n')
    await reader.cancel()
    await told(['produce', 'live'], 'three\n')
    expect(await follower.exited).toBe(0)
    expect(await follower.stderr.text()).toBe('')
  })

  test('dump shows every batch and record of a segment, beside a running broker, and every fault', async () => {
    await told(['produce', 'dumped'], Array.from({ length: 30_000 }, (_, i) => `value ${i}\n`).join(''))
    const { topicId } = await broker.call<{ topicId: string }>('GET', '/v1/topics/dumped')
    const segment = segmentOf(topicId)
    const whole = await naru(['dump', segment, '--records'])
    expect(whole.code).toBe(0)
    expect(whole.out.match(/^ {4}\{/gm)?.length).toBe(30_000)
    expect(whole.out.trimEnd().split('\n').at(-1)).toMatch(/^\d+ batches, 30000 records, .*, 0 faults$/)

    const bytes = readFileSync(segment)
    bytes[bytes.length - 10]! ^= 4
    const damaged = join(folder, 'damaged.log')
    writeFileSync(damaged, bytes)
    const found = await naru(['dump', damaged, '--json'])
    expect(found.code).toBe(1)
    const last = JSON.parse(found.out.trim().split('\n').at(-1)!) as { fault: string }
    expect(last.fault).toStartWith('body')
    expect((await naru(['dump', join(folder, 'absent.log')])).code).toBe(1)
  })
})
