// The line of a shell that does what the page does.

import type { Asked } from './broker.ts'

export function curlOf({ method, address, contentType, body }: Asked): string {
  const url = quoted(location.origin + address)
  if (body === undefined) return method === 'GET' ? `curl ${url}` : `curl -X ${method} ${url}`
  const data =
    contentType === 'application/json'
      ? `--json ${quoted(body)}`
      : `-H ${quoted(`content-type: ${contentType}`)} --data-binary ${quoted(body)}`
  // curl reads a file where data begins so, and says -d - for its input.
  const isFile = body.startsWith('@')
  const sent = isFile ? data.replace('--data-binary', '--data-raw') : data
  return method === 'POST' ? `curl ${sent} ${url}` : `curl -X ${method} ${sent} ${url}`
}

export function curlFollowing(address: string): string {
  return `curl -N -H 'accept: application/x-ndjson' ${quoted(location.origin + address)}`
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`
}
