// The app on a port: HTTP/1.1 and HTTP/2 side by side, connections that fall silent are closed, bodies are bounded by the app
// and not here. Malformed framing (both lengths, bad chunks, headers too large) is refused by Bun's parser before the app.

import type { App } from './app.ts'

export interface ServerOptions {
  readonly host: string
  /** 0: a free one. */
  readonly port: number
  readonly http2: boolean
  readonly tls: { readonly cert: string; readonly key: string } | null
}

export interface RunningServer {
  readonly port: number
  readonly url: string
  readonly pendingRequests: number
  /** No new connections; resolves when those there are have been answered. */
  drain(): Promise<void>
  /** Cuts what is left. */
  close(): Promise<void>
}

/** Silence between requests, or within one that does not wait on purpose. Bun counts in steps of four seconds. */
const IDLE_S = 32

export function serve(app: App, options: ServerOptions): RunningServer {
  const server = Bun.serve({
    hostname: options.host,
    port: options.port,
    http2: options.http2,
    idleTimeout: IDLE_S,
    // A streamed upload has no bound; buffered ones are bounded where they are read.
    maxRequestBodySize: Number.MAX_SAFE_INTEGER,
    ...(options.tls === null ? null : { tls: { cert: options.tls.cert, key: options.tls.key } }),
    fetch: (request, connection) => app.fetch(request, connection),
  })
  return {
    port: server.port!,
    url: server.url.href.replace(/\/$/, ''),
    get pendingRequests() {
      return server.pendingRequests
    },
    drain: () => server.stop(false),
    close: () => server.stop(true),
  }
}
