// Browsers: which origins may change anything, and the headers that let pages read answers.
//
// A page of an origin that is not allowed changes nothing, and what it asks for by GET it cannot read, since its browser is
// not told that it may. The own origin, the Host a page was loaded from, is always allowed.

export interface OriginPolicy {
  /** Beside the own origin; `*` allows every origin. */
  readonly allowed: ReadonlySet<string>
}

const ALLOWED_METHODS = 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS'
const REQUEST_HEADERS =
  'Accept, Authorization, Content-Type, Idempotency-Key, If-Match, Last-Event-ID, Producer-Epoch, Producer-Id, Producer-Seq'
const EXPOSED_HEADERS =
  'Allow, ETag, Idempotency-Replayed, Location, Naru-Appended-At, Naru-Caught-Up, Naru-Cursor, Naru-Generation, Naru-High-Watermark, ' +
  'Naru-Key, Naru-Leader, Naru-Leader-Epoch, Naru-Log-End-Offset, Naru-Log-Start-Offset, Naru-Member-State, ' +
  'Naru-Next-Offset, Naru-Partition-State, Naru-Timestamp, Retry-After'
const PREFLIGHT_SECONDS = '600'

export function isAllowed(policy: OriginPolicy, origin: string, host: string | null): boolean {
  if (policy.allowed.has(origin) || policy.allowed.has('*')) return true
  return host !== null && (origin === `http://${host}` || origin === `https://${host}`)
}

/** Lets the page read the answer. */
export function shareWith(response: Response, origin: string): Response {
  response.headers.set('access-control-allow-origin', origin)
  response.headers.set('access-control-expose-headers', EXPOSED_HEADERS)
  response.headers.append('vary', 'Origin')
  return response
}

/** Answers whether a page may ask, not whether it may do: the request itself is judged again. */
export function preflight(origin: string, requestedHeaders: string | null): Response {
  const named = (requestedHeaders ?? '').split(',').map((name) => name.trim().toLowerCase())
  const recordHeaders = named.filter((name) => /^naru-header-[a-z0-9._-]+$/.test(name))
  const response = new Response(null, {
    status: 204,
    headers: {
      'access-control-allow-methods': ALLOWED_METHODS,
      'access-control-allow-headers': [REQUEST_HEADERS, ...recordHeaders].join(', '),
      'access-control-max-age': PREFLIGHT_SECONDS,
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-store',
    },
  })
  return shareWith(response, origin)
}
