// Emits openapi/openapi.json from the shapes and tables of the HTTP edge. `--check` only compares: drift fails.

import { join } from 'node:path'
import { openApiText } from '../src/edge/http/index.ts'

const path = join(import.meta.dir, '../openapi/openapi.json')
const emitted = openApiText()

if (process.argv.includes('--check')) {
  const committed = await Bun.file(path)
    .text()
    .catch(() => '')
  if (committed !== emitted) {
    console.error(
      'openapi/openapi.json is not what the shapes say: run `bun scripts/openapi.ts` and review the difference',
    )
    process.exit(1)
  }
} else {
  await Bun.write(path, emitted)
}
