// Which kind of produce body a Content-Type means. Clients send a handful of spellings over and over, so that each is read
// once.

import { Problem } from '../wire/index.ts'

export type BodyKind = 'raw' | 'form' | 'json' | 'ndjson'

const KNOWN_MAX = 256
const BATCHES = 'application/vnd.naru.batch'

export class BodyKinds {
  readonly #known = new Map<string, BodyKind>()

  of(contentType: string | undefined): BodyKind | Problem {
    if (contentType === undefined) return 'raw'
    const known = this.#known.get(contentType)
    if (known !== undefined) return known
    const kind = bodyKind(contentType)
    if (kind instanceof Problem) return kind
    if (this.#known.size >= KNOWN_MAX) this.#known.clear()
    this.#known.set(contentType, kind)
    return kind
  }
}

export function mediaTypeOf(contentType: string): string {
  return contentType.split(';', 1)[0]!.trim().toLowerCase()
}

function bodyKind(contentType: string): BodyKind | Problem {
  const mediaType = mediaTypeOf(contentType)
  switch (mediaType) {
    case 'application/json':
      return otherCharset(contentType) ?? 'json'
    case 'application/x-ndjson':
      return otherCharset(contentType) ?? 'ndjson'
    case 'application/x-www-form-urlencoded':
      return 'form'
    case 'application/cloudevents+json':
    case 'application/cloudevents-batch+json':
      return new Problem('unsupported', 'CloudEvents are not supported yet')
    case BATCHES:
      return new Problem(
        'unsupported-media-type',
        'Stored batches go to POST /v1/topics/{topic}/partitions/{partition}/batches',
      )
    default:
      return 'raw'
  }
}

function otherCharset(contentType: string): Problem | null {
  const charset = /;\s*charset\s*=\s*"?([^\s";]+)/i.exec(contentType)?.[1]
  if (charset === undefined || charset.toLowerCase() === 'utf-8') return null
  return new Problem('unsupported-media-type', `JSON is UTF-8; ${charset.slice(0, 32)} is not read`)
}
