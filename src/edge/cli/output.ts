// What a command prints: tables for a terminal, one JSON document with `--json`, progress only where somebody is watching.

/**
 * Resolves when the bytes are with whoever reads them: a command ends with its last write, and a pipe takes only so much at once.
 * A reader that went away (`| head`) ends the command quietly.
 */
export async function print(output: string | Uint8Array): Promise<void> {
  if (!(await isPrinted(output))) process.exit(0)
}

/** False: nobody reads any more. */
export async function isPrinted(output: string | Uint8Array): Promise<boolean> {
  try {
    await Bun.write(Bun.stdout, output)
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EPIPE') return false
    throw error
  }
}

export function printJson(value: unknown): Promise<void> {
  return print(`${JSON.stringify(value, null, 2)}\n`)
}

type Cell = string | number | boolean | null | undefined

export function printTable(header: readonly string[], rows: readonly (readonly Cell[])[]): Promise<void> {
  const cells = [
    header,
    ...rows.map((row) => row.map((cell) => (cell === null || cell === undefined ? '-' : String(cell)))),
  ]
  const widths = header.map((_, column) => Math.max(...cells.map((row) => (row[column] ?? '').length)))
  const lines = cells.map((row) =>
    row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column]!))).join('  '),
  )
  return print(`${lines.join('\n')}\n`)
}

/** Why a command failed, in words for the person who typed it. */
export class CommandFailed extends Error {}

/** A line on standard error that is rewritten while work goes on; silent where standard error is no terminal. */
export class Progress {
  readonly #isShown = process.stderr.isTTY
  #shownAtMs = 0
  #wroteAny = false

  show(line: () => string): void {
    if (!this.#isShown) return
    const now = performance.now()
    if (now - this.#shownAtMs < 100) return
    this.#shownAtMs = now
    this.#wroteAny = true
    process.stderr.write(`\r\x1b[2K${line()}`)
  }

  end(): void {
    if (this.#wroteAny) process.stderr.write('\r\x1b[2K')
  }
}

export function bytesText(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`
  const units = ['KiB', 'MiB', 'GiB', 'TiB']
  let value = bytes / 1024
  let unit = 0
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit++
  }
  return `${value.toFixed(value < 10 ? 1 : 0)} ${units[unit]}`
}
