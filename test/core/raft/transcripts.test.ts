// Every story in `transcripts/` goes as it is written. `NARU_REWRITE=1 bun test test/core/raft/transcripts.test.ts` writes
// down how they go now: read the diff, and commit it only when you know why.

import { describe, expect, test } from 'bun:test'
import { Glob } from 'bun'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { runTranscript } from './transcript.ts'

const FOLDER = join(import.meta.dir, 'transcripts')
const rewrite = process.env['NARU_REWRITE'] === '1'
const stories = [...new Glob('*.txt').scanSync(FOLDER)].sort()

describe('raft transcripts', () => {
  test('there are some', () => expect(stories.length).toBeGreaterThan(10))

  test.each(stories)('%s', (story) => {
    const path = join(FOLDER, story)
    const written = readFileSync(path, 'utf8')
    const now = runTranscript(written)
    if (rewrite) writeFileSync(path, now)
    else expect(now).toBe(written)
  })
})
