// One long chunked upload of lines over a raw socket, at the pace the broker takes it; nothing of it is held here.

import { linesBody } from './payloads.ts'

const DONE_MS_MAX = 300_000

export class LineUpload {
  /** Sends whole blocks of lines until `bytes` are reached; resolves with what was acknowledged and what was sent. */
  static send(port: number, path: string, bytes: number): Promise<{ count: number; lines: number }> {
    const block = Buffer.from(linesBody())
    const chunk = Buffer.concat([Buffer.from(`${block.length.toString(16)}\r\n`), block, Buffer.from('\r\n')])
    const head = `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n`
    const blocks = Math.ceil(bytes / block.length)
    let sent = 0
    let pending: Uint8Array = Buffer.from(head)
    let reply = ''
    return new Promise((resolve, reject) => {
      setTimeout(() => reject(new Error(`the upload took over ${DONE_MS_MAX} ms`)), DONE_MS_MAX).unref()
      const pump = (socket: Bun.Socket<undefined>): void => {
        for (;;) {
          if (pending.length > 0) {
            pending = pending.subarray(Math.max(0, socket.write(pending)))
            if (pending.length > 0) return
          }
          if (sent > blocks) return
          pending = sent === blocks ? Buffer.from('0\r\n\r\n') : chunk
          sent++
        }
      }
      const socket = {
        open: pump,
        drain: pump,
        data: (open: Bun.Socket<undefined>, data: Buffer) => {
          reply += data.toString()
          const end = reply.indexOf('\r\n\r\n')
          const length = Number(/content-length: (\d+)/i.exec(reply)?.[1])
          if (end < 0 || Buffer.byteLength(reply) < end + 4 + length) return
          if (!reply.startsWith('HTTP/1.1 200')) return reject(new Error(reply))
          const { count } = JSON.parse(reply.slice(end + 4)) as { count: number }
          resolve({ count, lines: blocks * 1_000 })
          open.end()
        },
        error: (_: unknown, error: Error) => reject(error),
        close: () => reject(new Error(`the upload was cut off: ${reply}`)),
      }
      Bun.connect<undefined>({ hostname: '127.0.0.1', port, socket }).catch(reject)
    })
  }
}
