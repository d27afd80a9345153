// Makes the client an installable package, dist/client: one module for browsers, Bun and Node, its types, and nothing it depends on.

import { $, Glob } from 'bun'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { license, version } from '../package.json'

const ROOT = join(import.meta.dir, '..')
const INTO = join(ROOT, 'dist/client')

export async function buildClient(): Promise<void> {
  await rm(INTO, { recursive: true, force: true })
  await Bun.build({
    entrypoints: [join(ROOT, 'src/client/index.ts')],
    outdir: INTO,
    target: 'browser',
    format: 'esm',
    sourcemap: 'linked',
  })
  await buildTypes()
  const manifest = {
    name: 'naru-client',
    version,
    description: 'Producer and consumer for Naru, for browsers, Bun and Node',
    license,
    type: 'module',
    sideEffects: false,
    engines: { node: '>=20' },
    exports: { '.': { types: './types/src/client/index.d.ts', default: './index.js' } },
  }
  await Bun.write(join(INTO, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`)
  for (const [from, to] of [['src/client/README.md', 'README.md'] as const, ['LICENSE', 'LICENSE'] as const])
    await Bun.write(join(INTO, to), Bun.file(join(ROOT, from)))
  console.error(`dist/client  ${(Bun.file(join(INTO, 'index.js')).size / 1e3).toFixed(0)} KB`)
}

/** Of every module the types of the door reach; they name each other as what they will be. */
async function buildTypes(): Promise<void> {
  const types = join(INTO, 'types')
  const emit = ['--noEmit', 'false', '--declaration', '--emitDeclarationOnly', '--rootDir', ROOT, '--outDir', types]
  await $`${join(ROOT, 'node_modules/.bin/tsc6')} -p ${join(ROOT, 'src/client')} ${emit}`
  for (const path of new Glob('**/*.d.ts').scanSync(types)) {
    const file = Bun.file(join(types, path))
    await Bun.write(file, (await file.text()).replaceAll(/(from '|import\(')(\.[^']*)\.ts'/g, "$1$2.js'"))
  }
}
