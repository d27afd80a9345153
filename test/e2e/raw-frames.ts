// A WebSocket made of bytes: frames as no client library would send them, and what comes back.

import { connect, type Socket } from 'node:net'

export const Opcode = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const

export interface Frame {
  opcode: number
  payload: Buffer
}

export interface FrameOptions {
  isFinal?: boolean
  isMasked?: boolean
  reservedBits?: number
}

const MASK = Buffer.from([0x5a, 0x12, 0xe3, 0x9c])

export function frame(opcode: number, payload: Uint8Array | string, options: FrameOptions = {}): Buffer {
  const { isFinal = true, isMasked = true, reservedBits = 0 } = options
  const bytes = Buffer.from(payload as string)
  const maskBit = isMasked ? 0x80 : 0
  const head = Buffer.alloc(bytes.length < 126 ? 2 : bytes.length < 0x1_0000 ? 4 : 10)
  head[0] = (isFinal ? 0x80 : 0) | reservedBits | opcode
  if (head.length === 2) head[1] = maskBit | bytes.length
  else if (head.length === 4) {
    head[1] = maskBit | 126
    head.writeUInt16BE(bytes.length, 2)
  } else {
    head[1] = maskBit | 127
    head.writeBigUInt64BE(BigInt(bytes.length), 2)
  }
  if (!isMasked) return Buffer.concat([head, bytes])
  for (let i = 0; i < bytes.length; i++) bytes[i]! ^= MASK[i & 3]!
  return Buffer.concat([head, MASK, bytes])
}

export class RawFrames {
  readonly frames: Frame[] = []
  hasEnded = false
  readonly socket: Socket
  #bytes: Buffer = Buffer.alloc(0)
  #waiting: (() => void)[] = []

  private constructor(socket: Socket) {
    this.socket = socket
    socket.on('error', () => {})
    socket.on('close', () => {
      this.hasEnded = true
      this.#tell()
    })
  }

  static async open(port: number): Promise<RawFrames> {
    const socket = connect(port, '127.0.0.1')
    socket.setNoDelay(true)
    socket.write(
      `GET /v1/ws HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    )
    const raw = new RawFrames(socket)
    let head = Buffer.alloc(0)
    await new Promise<void>((resolve, reject) => {
      const take = (chunk: Buffer): void => {
        head = Buffer.concat([head, chunk])
        const end = head.indexOf('\r\n\r\n')
        if (end < 0) return
        socket.off('data', take)
        if (!head.toString('latin1').startsWith('HTTP/1.1 101 ')) reject(new Error(head.toString('latin1')))
        raw.#take(head.subarray(end + 4))
        socket.on('data', (more: Buffer) => raw.#take(more))
        resolve()
      }
      socket.on('data', take)
      socket.on('close', () => reject(new Error('closed before the upgrade')))
    })
    return raw
  }

  send(opcode: number, payload: Uint8Array | string, options?: FrameOptions): void {
    this.socket.write(frame(opcode, payload, options))
  }

  say(message: object): void {
    this.send(Opcode.text, JSON.stringify(message))
  }

  get messages(): Record<string, unknown>[] {
    return this.frames
      .filter(({ opcode }) => opcode === Opcode.text)
      .map(({ payload }) => JSON.parse(payload.toString()) as Record<string, unknown>)
  }

  /** Resolves when it is so; rejects when the connection ends before. */
  async until(isSo: () => boolean, withinMs = 10_000): Promise<void> {
    const deadline = Date.now() + withinMs
    while (!isSo()) {
      if (this.hasEnded) throw new Error('the connection ended')
      const left = deadline - Date.now()
      if (left <= 0) throw new Error(`not so within ${withinMs} ms: ${isSo.toString()}`)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left)
        this.#waiting.push(() => {
          clearTimeout(timer)
          resolve()
        })
      })
    }
  }

  /** The code it was closed with; 1006 when it just ended. */
  async closeCode(withinMs?: number): Promise<number> {
    await this.until(() => this.#closeFrame !== undefined, withinMs).catch((error: unknown) => {
      if (!this.hasEnded) throw error
    })
    const payload = this.#closeFrame?.payload
    return payload === undefined || payload.length < 2 ? 1006 : payload.readUInt16BE(0)
  }

  end(): void {
    this.socket.destroy()
  }

  get #closeFrame(): Frame | undefined {
    return this.frames.find(({ opcode }) => opcode === Opcode.close)
  }

  #take(chunk: Buffer): void {
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk])
    for (let taken = this.#takeFrame(); taken; taken = this.#takeFrame());
    this.#tell()
  }

  /** The broker neither masks nor fragments. */
  #takeFrame(): boolean {
    const bytes = this.#bytes
    if (bytes.length < 2) return false
    const short = bytes[1]! & 0x7f
    const headBytes = short < 126 ? 2 : short === 126 ? 4 : 10
    if (bytes.length < headBytes) return false
    const length = short < 126 ? short : short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2))
    if (bytes.length < headBytes + length) return false
    this.frames.push({ opcode: bytes[0]! & 0x0f, payload: bytes.subarray(headBytes, headBytes + length) })
    this.#bytes = bytes.subarray(headBytes + length)
    return true
  }

  #tell(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}
