import { afterAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DiskError } from '../../../src/core/ports/index.ts'
import { HostDisk } from '../../../src/edge/host/index.ts'

const root = mkdtempSync(join(tmpdir(), 'naru-disk-'))
afterAll(() => rmSync(root, { recursive: true }))

const disk = new HostDisk(join(root, 'made', 'on', 'demand'))

function codeThrown(run: () => void): string {
  try {
    run()
  } catch (error) {
    if (error instanceof DiskError) return error.code
    throw error
  }
  return 'none'
}

describe('files', () => {
  test('written bytes are read back, holes are zero, sizes follow', () => {
    const file = disk.open('a', 'create')
    file.write(new Uint8Array([1, 2, 3]), 2)
    expect(file.size()).toBe(5)
    file.write(new Uint8Array([9]), 0)
    expect(file.size()).toBe(5)
    const into = new Uint8Array(8)
    expect(file.read(into, 0)).toBe(5)
    expect([...into]).toEqual([9, 0, 1, 2, 3, 0, 0, 0])
    expect(file.read(into, 100)).toBe(0)
    file.truncate(1)
    expect(file.size()).toBe(1)
    file.close()
    const again = disk.open('a', 'read')
    expect(again.size()).toBe(1)
    again.close()
  })

  test('cold reads see the same bytes, also when the file is closed meanwhile', async () => {
    const file = disk.open('cold', 'create')
    file.write(new Uint8Array(100).fill(7), 0)
    const into = new Uint8Array(10)
    const reading = file.readCold(into, 95)
    file.close()
    expect(await reading).toBe(5)
    expect([...into.subarray(0, 6)]).toEqual([7, 7, 7, 7, 7, 0])
  })

  test('what is missing is told from what fails', () => {
    expect(codeThrown(() => disk.open('missing', 'read'))).toBe('not-found')
    expect(codeThrown(() => disk.open('missing', 'write'))).toBe('not-found')
    expect(codeThrown(() => disk.rename('missing', 'other'))).toBe('not-found')
    disk.createFolder('folder')
    expect(codeThrown(() => disk.open('folder', 'write'))).toBe('io')
  })

  // /dev/full accepts no byte: every write to it fails as on a full volume
  test.if(process.platform === 'linux')('a full volume is a refusal of its own', () => {
    const file = new HostDisk('/dev').open('full', 'write')
    expect(codeThrown(() => file.write(new Uint8Array(10), 0))).toBe('no-space')
    expect(file.size()).toBe(0)
    file.close()
  })

  test('use after close is a broken invariant', () => {
    const file = disk.open('closed', 'create')
    file.close()
    file.close()
    expect(() => file.write(new Uint8Array(1), 0)).toThrow('closed')
    expect(() => file.read(new Uint8Array(1), 0)).toThrow('closed')
  })
})

describe('names', () => {
  test('are listed in order, renamed over one another, removed with all below', () => {
    disk.createFolder('names/below')
    for (const name of ['c', 'a', 'b']) disk.open(`names/${name}`, 'create').close()
    expect(disk.list('names')).toEqual(['a', 'b', 'below', 'c'])
    disk.rename('names/c', 'names/a')
    expect(disk.list('names')).toEqual(['a', 'b', 'below'])
    expect(disk.exists('names/a')).toBe(true)
    disk.remove('names')
    disk.remove('names')
    expect(disk.exists('names')).toBe(false)
    expect(disk.list('names')).toEqual([])
  })
})

describe('durability', () => {
  test('a set of files is synced, more of them than run at once', async () => {
    const files = Array.from({ length: 11 }, (_, i) => disk.open(`set-${i}`, 'create'))
    for (const file of files) file.write(new Uint8Array(10), 0)
    await disk.sync(files)
    await disk.sync([])
    await disk.syncFolder('')
    for (const file of files) file.close()
  })

  test('a file closed during its sync is synced all the same', async () => {
    const file = disk.open('closing', 'create')
    file.write(new Uint8Array(10), 0)
    const syncing = disk.sync([file])
    file.close()
    await syncing
  })

  // a pipe cannot be synced: the kernel refuses with EINVAL, the closest to a failing device that needs none
  test.if(process.platform === 'linux')('a failed sync rejects, after the rest of the set has ended', async () => {
    Bun.spawnSync(['mkfifo', join(root, 'made/on/demand/pipe')])
    const files = [disk.open('pipe', 'write'), disk.open('beside', 'create')]
    await expect(disk.sync(files)).rejects.toMatchObject({ code: 'io' })
    for (const file of files) file.close()
  })

  test('a missing folder cannot be synced', async () => {
    await expect(disk.syncFolder('nowhere')).rejects.toMatchObject({ code: 'not-found' })
  })
})

test('the space of the volume is measured', () => {
  const { freeBytes, totalBytes } = disk.space()
  expect(freeBytes).toBeGreaterThan(0)
  expect(totalBytes).toBeGreaterThan(freeBytes)
})
