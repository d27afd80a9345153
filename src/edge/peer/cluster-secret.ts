// The secret that all brokers of a cluster share, from a file of its own: never an argument, which others can see.

import { readFileSync } from 'node:fs'

const CHARS_MIN = 16

export type ClusterSecret = { kind: 'secret'; secret: string } | { kind: 'unusable'; why: string }

export function readClusterSecret(path: string): ClusterSecret {
  let text: string
  try {
    text = readFileSync(path, 'utf8').trim()
  } catch (error) {
    return { kind: 'unusable', why: error instanceof Error ? error.message : String(error) }
  }
  if (text.length >= CHARS_MIN) return { kind: 'secret', secret: text }
  return { kind: 'unusable', why: `${path} holds ${text.length} characters: a secret has at least ${CHARS_MIN}` }
}
