// naru consume TOPIC --group G: a member of a group that prints what it is given. A poll commits what was printed before it, so
// that nothing is skipped if the command dies: what was printed last may be printed again. On SIGINT, at its end, and when nobody
// reads what it prints, it commits and leaves, and the others take over at once.

import { isPrinted } from './output.ts'
import { type Remote, Refused } from './remote.ts'

export interface GroupConsumeOptions {
  topic: string
  group: string
  member: string
  from: string | undefined
  tags: string | undefined
  format: string
  /** Goes on after the end was reached. */
  follow: boolean
  limit: number
}

/** For records, with `follow`; else only for partitions that others have yet to drop. */
const WAIT = '30s'
const SETTLE_WAIT = '1s'
const POLL_RECORDS_MAX = 1_000
const AGAIN_MS = 250
const LINE_FEED = 10

export async function consumeAsMember(remote: Remote, options: GroupConsumeOptions): Promise<void> {
  const interruption = new AbortController()
  const interrupt = (): void => interruption.abort()
  process.on('SIGINT', interrupt)
  process.on('SIGTERM', interrupt)
  const member = new Member(remote, options, interruption.signal)
  try {
    await member.consume()
  } catch (error) {
    if (!interruption.signal.aborted) throw error
  } finally {
    await member.leave()
    process.off('SIGINT', interrupt)
    process.off('SIGTERM', interrupt)
  }
}

class Member {
  readonly #remote: Remote
  readonly #options: GroupConsumeOptions
  readonly #signal: AbortSignal
  readonly #path: string
  /** Of what has been printed and is not known to be committed; empty: nothing. */
  #cursor = ''
  #generation = ''
  #isMember = false
  #isSettling = false
  #isAway = false

  constructor(remote: Remote, options: GroupConsumeOptions, signal: AbortSignal) {
    this.#remote = remote
    this.#options = options
    this.#signal = signal
    this.#path = `/v1/groups/${encodeURIComponent(options.group)}`
  }

  async consume(): Promise<void> {
    await this.#join()
    for (let left = this.#options.limit; left > 0 && !this.#signal.aborted;) {
      const polled = await this.#poll(Math.min(left, POLL_RECORDS_MAX))
      if (polled === null) continue
      const { lines, headers } = polled
      this.#isAway = false
      if (!(await isPrinted(lines))) return
      this.#isSettling = lines.length === 0
      this.#cursor = headers.get('naru-cursor') ?? ''
      this.#generation = headers.get('naru-generation') ?? ''
      left -= countOf(lines)
      const isAtEnd = headers.get('naru-caught-up') === 'true' && headers.get('naru-member-state') === 'stable'
      if (isAtEnd && !this.#options.follow) return
    }
  }

  async leave(): Promise<void> {
    if (!this.#isMember) return
    this.#isMember = false
    // Whoever was removed meanwhile has nothing to commit and nothing to leave.
    const { member } = this.#options
    if (this.#cursor !== '') {
      const generation = Number(this.#generation)
      await unlessRemoved(
        this.#remote.call('PUT', `${this.#path}/offsets`, { cursor: this.#cursor, member, generation }),
      )
    }
    await unlessRemoved(this.#remote.call('DELETE', this.#memberPath()))
  }

  async #join(): Promise<void> {
    const { topic, from, tags } = this.#options
    await this.#remote.call('PUT', this.#memberPath(), {
      topics: [topic],
      ...(from === undefined ? null : { from }),
      ...(tags === undefined ? null : { tags: tags.split(',') }),
    })
    this.#isMember = true
  }

  /** Null: to be asked again. It was removed from the group, and has joined again; or the broker is away for a while. */
  async #poll(limit: number): Promise<{ lines: Uint8Array; headers: Headers } | null> {
    const query = new URLSearchParams({ limit: String(limit), commit: this.#cursor })
    if (this.#options.follow) query.set('wait', WAIT)
    else if (this.#isSettling) query.set('wait', SETTLE_WAIT)
    if (this.#options.format === 'record') query.set('format', 'record')
    try {
      const response = await this.#remote.send(`${this.#memberPath()}/poll?${query}`, {
        method: 'POST',
        headers: { accept: 'application/x-ndjson' },
        signal: this.#signal,
      })
      return { lines: new Uint8Array(await response.arrayBuffer()), headers: response.headers }
    } catch (error) {
      if (this.#signal.aborted) throw error
      if (!isRemoved(error)) return this.#waitOrThrow(error)
      this.#cursor = ''
      this.#isSettling = false
      await this.#join()
      return null
    }
  }

  async #waitOrThrow(error: unknown): Promise<null> {
    const isFinal = error instanceof Refused && !error.isRetryable
    if (!this.#options.follow || isFinal) throw error
    if (!this.#isAway) process.stderr.write('naru: the broker does not answer; trying again\n')
    this.#isAway = true
    await Bun.sleep(AGAIN_MS)
    return null
  }

  #memberPath(): string {
    return `${this.#path}/members/${encodeURIComponent(this.#options.member)}`
  }
}

function isRemoved(error: unknown): boolean {
  return error instanceof Refused && (error.code === 'fenced' || error.code === 'unknown-member')
}

async function unlessRemoved(call: Promise<unknown>): Promise<void> {
  try {
    await call
  } catch (error) {
    if (!isRemoved(error)) throw error
  }
}

function countOf(lines: Uint8Array): number {
  let count = 0
  for (let at = lines.indexOf(LINE_FEED); at >= 0; at = lines.indexOf(LINE_FEED, at + 1)) count++
  return count
}
