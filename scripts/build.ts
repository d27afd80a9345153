// Makes the executable: `dist/naru` for this machine, with `--all` one for every platform; with `--client` the client's package.
//
// Everything is inside (runtime, code, OpenAPI document), and what lies around it is not read: no .env, bunfig or tsconfig. The code
// is stored as bytecode, which starts in a third of the time. Executables of other platforms come from npm by Bun itself.

import { $ } from 'bun'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { buildClient } from './client-package.ts'

const ROOT = join(import.meta.dir, '..')

const PLATFORMS: readonly Bun.Build.CompileTarget[] = [
  'bun-linux-x64',
  'bun-linux-arm64',
  'bun-linux-x64-musl',
  'bun-linux-arm64-musl',
  'bun-darwin-x64',
  'bun-darwin-arm64',
  'bun-windows-x64',
]

/** What the executable says it was made from; a source archive has no history to name. */
async function commitOf(folder: string): Promise<string> {
  const described = await $`git describe --always --dirty --abbrev=10`.cwd(folder).quiet().nothrow()
  return described.exitCode === 0 ? described.text().trim() : ''
}

async function build(outfile: string, commit: string, target?: Bun.Build.CompileTarget): Promise<void> {
  const started = performance.now()
  await Bun.build({
    entrypoints: [join(ROOT, 'src/main.ts')],
    target: 'bun',
    format: 'esm',
    bytecode: true,
    sourcemap: 'inline',
    define: { 'process.env.NARU_COMMIT': JSON.stringify(commit) },
    compile: {
      outfile: join(ROOT, outfile),
      autoloadDotenv: false,
      autoloadBunfig: false,
      ...(target === undefined ? {} : { target }),
    },
  })
  // it is inside; beside the executable it is nobody's
  await rm(join(ROOT, `${outfile.replace(/\.exe$/, '')}.map`), { force: true })
  const bytes = Bun.file(join(ROOT, outfile)).size
  console.error(`${outfile}  ${(bytes / 1e6).toFixed(0)} MB  ${((performance.now() - started) / 1000).toFixed(1)} s`)
}

const commit = await commitOf(ROOT)
if (process.argv.includes('--client')) await buildClient()
else if (process.argv.includes('--all'))
  for (const platform of PLATFORMS) {
    const extension = platform.includes('windows') ? '.exe' : ''
    await build(`dist/${platform.replace('bun-', 'naru-')}${extension}`, commit, platform)
  }
else await build('dist/naru', commit)
