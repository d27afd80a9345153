// Reading request bodies: wholly, counted against a bound whatever Content-Length claims, and against a deadline that grows
// with the size; or piece by piece for uploads of any length, against a bound of silence.
//
// What is left of a refused body is read for a while and thrown away, because over HTTP/2 the client sees a reset in place of
// an answer that comes before its body has ended; then it is given up with `Connection: close`.

import { limits } from '../../core/base/index.ts'
import { Problem } from '../wire/index.ts'
import { problemAnswer } from './answer.ts'
import { Deadline, type Deadlines } from './deadlines.ts'
import type { RoomShare } from './produce-room.ts'

export interface UploadLimits {
  /** The longest body that is read wholly. */
  requestBytesMax: number
  /** A whole body has this long, and more with its size. */
  bodyMs: number
  bodyBytesPerS: number
  /** A streamed body may be silent this long. */
  uploadIdleMs: number
}

/** While the broker stops, an upload that is silent for so long has said all there is to wait for. */
const STOPPING_QUIET_MS = 250
/** Of a refused upload this much is read, for so long, while it keeps coming: an HTTP/2 client sees no answer before its end. */
const DRAIN_BYTES = 32 * 1024 * 1024
const DRAIN_MS = 2_000
const DRAIN_QUIET_MS = 250
/** Bodies up to this, a batch, are given room for all of it before any is read, which is faster; larger ones as they come. */
const AT_ONCE_BYTES = limits.BATCH_BYTES_MAX
const NO_BYTES = new Uint8Array(0)
const CLOSE = { connection: 'close' }

const goneProblem = new Problem('malformed', 'The body ended before its end')

/** -1: not declared. */
export function declaredBytes(contentLength: string | null | undefined): number {
  return contentLength === null || contentLength === undefined ? -1 : Number(contentLength)
}

/** Bodies that are being read piece by piece. */
interface OpenUploads {
  readonly all: Set<Upload>
  isStopping: boolean
}

export class Bodies {
  readonly #deadlines: Deadlines
  readonly #limits: UploadLimits
  readonly #open: OpenUploads = { all: new Set(), isStopping: false }

  constructor(deadlines: Deadlines, limits: UploadLimits) {
    this.#deadlines = deadlines
    this.#limits = limits
  }

  get requestBytesMax(): number {
    return this.#limits.requestBytesMax
  }

  get uploadIdleMs(): number {
    return this.#limits.uploadIdleMs
  }

  get bodyMs(): number {
    return this.#limits.bodyMs
  }

  /** The broker is about to stop: uploads that are quiet end, and are answered with what was kept of them. */
  stop(): void {
    this.#open.isStopping = true
    for (const upload of this.#open.all) upload.hurry()
  }

  /** The answer to a request whose body has not been read: some of it is, so that the client gets to see the answer. */
  async refuse(request: Request, declared: number, problem: Problem): Promise<Response> {
    if (request.body === null || declared === 0 || request.bodyUsed) return problemAnswer(problem)
    return problemAnswer((await this.pieces(request.body).drain()) ? problem : closing(problem))
  }

  /** The whole body. `declared` is its Content-Length, or -1; `share`, where there is one, is given room for it. */
  whole(
    request: Request,
    declared: number,
    bytesMax: number,
    share: RoomShare | null = null,
  ): Promise<Uint8Array | Problem> | Uint8Array | Problem {
    if (declared > bytesMax) return tooLarge(declared, bytesMax)
    if (declared >= 0 && (share === null || declared <= AT_ONCE_BYTES)) {
      const entered = share?.enter(declared) ?? true
      return entered === true ? this.#buffered(request, declared) : this.#late(request, declared, share!, entered)
    }
    return request.body === null ? NO_BYTES : this.#counted(request.body, bytesMax, share)
  }

  async #late(
    request: Request,
    declared: number,
    share: RoomShare,
    entered: Promise<boolean>,
  ): Promise<Uint8Array | Problem> {
    return (await entered) ? this.#buffered(request, declared) : share.room.refusal()
  }

  #buffered(request: Request, declared: number): Promise<Uint8Array | Problem> {
    const { bodyMs, bodyBytesPerS } = this.#limits
    const wait = new BodyWait(this.#deadlines, performance.now() + bodyMs + (declared / bodyBytesPerS) * 1_000)
    request.arrayBuffer().then(
      (buffer) => wait.end(new Uint8Array(buffer)),
      () => wait.end(goneProblem),
    )
    return wait.promise
  }

  async #counted(
    body: ReadableStream<Uint8Array>,
    bytesMax: number,
    share: RoomShare | null,
  ): Promise<Uint8Array | Problem> {
    const { bodyMs, bodyBytesPerS } = this.#limits
    const startMs = performance.now()
    const upload = this.pieces(body)
    const chunks: Uint8Array[] = []
    let bytes = 0
    for (;;) {
      const leftMs = startMs + bodyMs + (bytes / bodyBytesPerS) * 1_000 - performance.now()
      const chunk = await upload.next(leftMs)
      if (chunk instanceof Problem) return chunk
      if (chunk === null) return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, bytes)
      bytes += chunk.length
      if (bytes > bytesMax) {
        const problem = tooLarge(null, bytesMax)
        return (await upload.drain()) ? problem : closing(problem)
      }
      if (share !== null && !(await share.enter(chunk.length))) {
        const problem = share.room.refusal()
        return (await upload.drain()) ? problem : closing(problem)
      }
      chunks.push(chunk)
    }
  }

  /** A body to be read piece by piece. */
  pieces(body: ReadableStream<Uint8Array>): Upload {
    return new Upload(body.getReader(), this.#deadlines, this.#open)
  }
}

/** A body, or a piece of one, that is to arrive in time. Many a request makes one: no closures, no set. */
class BodyWait<Arrived = Uint8Array> extends Deadline {
  readonly promise: Promise<Arrived | Problem>
  readonly #resolve: (arrived: Arrived | Problem) => void
  readonly #deadlines: Deadlines
  readonly #upload: Upload | null

  /** `upload` is given up when nothing arrives. */
  constructor(deadlines: Deadlines, atMs: number, upload: Upload | null = null) {
    super(atMs)
    const { promise, resolve } = Promise.withResolvers<Arrived | Problem>()
    this.promise = promise
    this.#resolve = resolve
    this.#deadlines = deadlines
    this.#upload = upload
    deadlines.add(this)
  }

  end(arrived: Arrived | Problem): void {
    this.#deadlines.delete(this)
    this.#resolve(arrived)
  }

  override expire(): void {
    this.#resolve(this.#upload === null ? stalled() : this.#upload.giveUp())
  }
}

/** What is used of a stream's reader. */
interface PieceReader {
  read(): Promise<{ done: boolean; value?: Uint8Array | undefined }>
  cancel(): Promise<void>
}

export class Upload {
  readonly #reader: PieceReader
  readonly #deadlines: Deadlines
  readonly #open: OpenUploads
  #wait: BodyWait<Uint8Array | null> | null = null

  constructor(reader: PieceReader, deadlines: Deadlines, open: OpenUploads) {
    this.#reader = reader
    this.#deadlines = deadlines
    this.#open = open
    open.all.add(this)
  }

  /** The next piece, null at the end, a problem when none comes within `withinMs` or the client is gone. */
  next(withinMs: number): Promise<Uint8Array | null | Problem> {
    const waitMs = this.#open.isStopping ? Math.min(withinMs, STOPPING_QUIET_MS) : withinMs
    const wait = new BodyWait<Uint8Array | null>(this.#deadlines, performance.now() + waitMs, this)
    this.#wait = wait
    this.#reader.read().then(
      ({ done, value }) => this.#arrived(wait, done || value === undefined ? null : value),
      () => this.#arrived(wait, goneProblem),
    )
    return wait.promise
  }

  /** What it waits for has to come soon. */
  hurry(): void {
    if (this.#wait !== null) this.#deadlines.bringForward(this.#wait, performance.now() + STOPPING_QUIET_MS)
  }

  /** Whether the rest of the body, which is not wanted, came to its end soon enough; else it is given up. */
  async drain(): Promise<boolean> {
    const untilMs = performance.now() + DRAIN_MS
    for (let bytes = 0; bytes < DRAIN_BYTES;) {
      const chunk = await this.next(Math.min(DRAIN_QUIET_MS, untilMs - performance.now()))
      if (chunk === null) return true
      if (chunk instanceof Problem) return false
      bytes += chunk.length
    }
    this.giveUp()
    return false
  }

  /** Returns why. */
  giveUp(): Problem {
    this.#wait = null
    this.#open.all.delete(this)
    this.#reader.cancel().catch(() => {})
    return this.#open.isStopping ? stopping() : stalled()
  }

  #arrived(wait: BodyWait<Uint8Array | null>, arrived: Uint8Array | null | Problem): void {
    this.#wait = null
    if (arrived === null || arrived instanceof Problem) this.#open.all.delete(this)
    wait.end(arrived)
  }
}

function closing({ code, detail, numbers, outcome, headers }: Problem): Problem {
  return new Problem(code, detail, numbers, outcome, { ...headers, ...CLOSE })
}

function stalled(): Problem {
  return new Problem('upload-stalled', 'The body did not arrive in time; nothing of it was kept', {}, 'none', CLOSE)
}

function stopping(): Problem {
  return new Problem('shutting-down', 'The broker is stopping; the rest of the body is not taken', {}, 'none', CLOSE)
}

function tooLarge(bytes: number | null, bytesMax: number): Problem {
  return new Problem(
    'body-too-large',
    `A body may have ${bytesMax} bytes here; application/x-ndjson and split=lines are streamed without a bound`,
    bytes === null ? { bytesMax } : { bytes, bytesMax },
  )
}
