// The executable: answers for its version at once, and hands everything else to the command line.

import packageJson from '../package.json'

const commit = process.env.NARU_COMMIT ?? ''
const version = commit === '' ? packageJson.version : `${packageJson.version} (${commit})`
const args = process.argv.slice(2)

if (args.length === 1 && args[0] === '--version') {
  process.stdout.write(`${version}\n`)
} else {
  const { runProgram } = await import('./edge/cli/index.ts')
  process.exit(await runProgram(args, version))
}
