// GET /v1/ws: which subprotocol is spoken, and what is refused before there is a socket. Bun would echo the first that is offered
// and ask nothing: both are said here.

import { Problem } from '../wire/index.ts'

const JSON_PROTOCOL = 'naru.v1.json'

/** The subprotocol to answer with; empty: none was offered, and JSON is meant. */
export function subprotocolOf(offered: string | undefined): string | Problem {
  if (offered === undefined) return ''
  const names = offered.split(',').map((name) => name.trim())
  if (names.some((name) => name.startsWith('bearer.'))) {
    return new Problem('unsupported', 'Tokens are not supported yet: offer naru.v1.json alone')
  }
  if (names.includes(JSON_PROTOCOL)) return JSON_PROTOCOL
  if (names.some((name) => name.startsWith('naru.'))) {
    return new Problem('unsupported', `Of the subprotocols only ${JSON_PROTOCOL} is supported yet`)
  }
  return new Problem('malformed', `The subprotocol here is ${JSON_PROTOCOL}`)
}
