// The line of a shell that does what the page does.

import type { Posted } from './broker.ts'

export function curlPosting({ address, contentType, body }: Posted): string {
  const data =
    contentType === 'application/json'
      ? `--json ${quoted(body)}`
      : `-H ${quoted(`content-type: ${contentType}`)} --data-raw ${quoted(body)}`
  return `curl ${data} ${quoted(location.origin + address)}`
}

export function curlFollowing(address: string): string {
  return `curl -N -H 'accept: application/x-ndjson' ${quoted(location.origin + address)}`
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`
}
