// Run while the executable is built, and when the sources are: what it returns stands in the code as a literal, so that nothing of
// the pages is read, or bundled, by a broker. The bundler cannot be called from itself, hence a process.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const FOLDER = join(import.meta.dir, 'page')

/** A script or a style sheet with all it imports, in one file. */
export function bundled(name: string): string {
  const command = [process.execPath, 'build', join(FOLDER, name), '--target=browser', '--minify']
  const built = Bun.spawnSync(command)
  if (!built.success) throw new Error(`${name} cannot be bundled: ${built.stderr.toString()}`)
  return built.stdout.toString()
}

export function text(name: string): string {
  return readFileSync(join(FOLDER, name), 'utf8')
}
