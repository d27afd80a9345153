import { afterEach, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { lockFolder } from '../../../src/edge/host/index.ts'

const folder = mkdtempSync(join(tmpdir(), 'naru-lock-'))
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const HOLD = `import { lockFolder } from '${join(import.meta.dir, '../../../src/edge/host/lock.ts')}'
globalThis.kept = lockFolder(process.argv[1])
console.log(kept.kind)
setInterval(() => {}, 1000)`

test('a second owner is refused by name until the first lets go', () => {
  const first = lockFolder(folder)
  expect(first.kind).toBe('locked')
  expect(lockFolder(folder)).toMatchObject({ kind: 'held', holder: expect.stringContaining(`process ${process.pid},`) })
  if (first.kind === 'locked') first.release()
  const next = lockFolder(folder)
  expect(next.kind).toBe('locked')
  if (next.kind === 'locked') next.release()
})

test('the lock of a killed process is free, whatever it left behind', async () => {
  await using owner = Bun.spawn([process.execPath, '-e', HOLD, folder], { stdout: 'pipe' })
  const { value: said } = await owner.stdout.getReader().read()
  expect(Buffer.from(said!).toString()).toBe('locked\n')
  expect(lockFolder(folder)).toMatchObject({ kind: 'held', holder: expect.stringContaining(`process ${owner.pid},`) })
  owner.kill('SIGKILL')
  await owner.exited
  const next = lockFolder(folder)
  expect(next.kind).toBe('locked')
  if (next.kind === 'locked') next.release()
})
