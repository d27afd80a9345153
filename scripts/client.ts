// Generates openapi/client, the HTTP calls of src/client, from openapi/openapi.json. `--check` only compares: drift fails.

import { createClient } from '@hey-api/openapi-ts'
import { Glob } from 'bun'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const ROOT = join(import.meta.dir, '..')
const COMMITTED = join(ROOT, 'openapi/client')

async function generate(into: string): Promise<void> {
  await createClient({
    input: join(ROOT, 'openapi/openapi.json'),
    // It is not written for exactOptionalPropertyTypes; its types are what is used of it.
    output: { path: into, module: { extension: '.ts' }, header: (asked) => ['// @ts-nocheck', ...asked.defaultValue] },
    plugins: ['@hey-api/client-fetch', '@hey-api/typescript', '@hey-api/sdk'],
    logs: { level: 'silent' },
  })
}

async function textsOf(folder: string): Promise<string> {
  const paths = [...new Glob('**/*').scanSync(folder)].sort()
  const texts = paths.map(async (path) => `=== ${path}\n${await Bun.file(join(folder, path)).text()}`)
  return (await Promise.all(texts)).join('')
}

if (process.argv.includes('--check')) {
  const folder = await mkdtemp(join(tmpdir(), 'naru-client-'))
  await generate(folder)
  const isSame = (await textsOf(folder)) === (await textsOf(COMMITTED).catch(() => ''))
  await rm(folder, { recursive: true })
  if (!isSame) {
    console.error('openapi/client is not what openapi.json generates: run `bun scripts/client.ts`')
    process.exit(1)
  }
} else {
  await generate(COMMITTED)
}
