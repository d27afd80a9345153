// Emits openapi/openapi.json and openapi/asyncapi.json from the shapes and tables of the HTTP edge. `--check` only compares: drift
// fails.

import { join } from 'node:path'
import { asyncApiText, openApiText } from '../src/edge/http/index.ts'

const EMITTED: Readonly<Record<string, string>> = { 'openapi.json': openApiText(), 'asyncapi.json': asyncApiText() }

for (const [name, emitted] of Object.entries(EMITTED)) {
  const path = join(import.meta.dir, '../openapi', name)
  if (!process.argv.includes('--check')) {
    await Bun.write(path, emitted)
    continue
  }
  const committed = await Bun.file(path)
    .text()
    .catch(() => '')
  if (committed === emitted) continue
  console.error(`openapi/${name} is not what the shapes say: run \`bun scripts/openapi.ts\` and review the difference`)
  process.exitCode = 1
}
