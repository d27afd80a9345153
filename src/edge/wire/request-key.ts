// An Idempotency-Key as the core knows it. `meaning` says what the body is taken for: the same bytes that are to mean something
// else are another body.

import type { RequestKey } from '../../core/broker/index.ts'
import type { Codec } from '../../core/ports/index.ts'

const encoder = new TextEncoder()

export function requestKeyOf(topic: string, key: string, meaning: string, codec: Codec): RequestKey {
  return {
    keyHash: codec.sha256(encoder.encode(`${topic}\n\n${key}`)).slice(0, 16),
    bodySeed: codec.xxHash64(encoder.encode(meaning), 0n),
  }
}
