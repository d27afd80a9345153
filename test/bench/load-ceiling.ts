// What the load can reach by itself, against a server that answers a constant to whatever comes: a measured server slower
// than this by a good margin is the server's figure, not the load's.

import type { BenchWorld, Row } from './bench-world.ts'
import { compare } from './comparison.ts'
import { RAW_BYTES, rawPost } from './payloads.ts'

export async function ceiling({ floors, pace }: BenchWorld): Promise<Row[]> {
  const rows: Row[] = []
  for (const connections of [1, 8, 32, 128]) {
    const server = { port: floors.trivialPort, pid: floors.pid }
    const [measured] = await compare([{ name: 'trivial', server, connections, requests: [rawPost('/')] }], pace)
    const path = `the load's own ceiling, n=${connections}`
    rows.push({ path, measured: measured!, recordsPerRequest: 1, payloadBytes: RAW_BYTES })
  }
  return rows
}
