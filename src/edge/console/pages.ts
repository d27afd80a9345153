// What a browser is given: the console at `/`, and the reference of the API at `/docs`, which is Swagger UI pointed at the broker's
// own /openapi.json. Everything comes from the executable; a page may load from, and speak to, the broker it came from and nothing
// else, and none of its text is ever markup or code.

import swaggerScript from 'swagger-ui-dist/swagger-ui-bundle.js' with { type: 'file' }
import swaggerStyle from 'swagger-ui-dist/swagger-ui.css' with { type: 'file' }
import { bundled, text } from './embedded.ts' with { type: 'macro' }

interface Page {
  readonly body: () => string | Blob
  readonly headers: Readonly<Record<string, string>>
}

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  'img-src data:',
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
]
/** The console never makes markup from text: its browser sees to it. */
const CONSOLE_POLICY = [...POLICY, "require-trusted-types-for 'script'", "trusted-types 'none'"]

const HTML = 'text/html; charset=utf-8'
const SCRIPT = 'text/javascript; charset=utf-8'
const STYLE = 'text/css; charset=utf-8'

const PAGES: ReadonlyMap<string, Page> = new Map([
  ['/', written(HTML, text('console.html'), CONSOLE_POLICY)],
  ['/console/console.js', written(SCRIPT, bundled('console.ts'))],
  ['/console/console.css', written(STYLE, bundled('console.css'))],
  ['/docs', written(HTML, text('docs.html'), POLICY)],
  ['/docs/docs.js', written(SCRIPT, bundled('docs.ts'))],
  ['/docs/docs.css', written(STYLE, bundled('docs.css'))],
  ['/docs/swagger-ui.js', stored(SCRIPT, swaggerScript)],
  ['/docs/swagger-ui.css', stored(STYLE, swaggerStyle)],
])

export const pagePaths: readonly string[] = [...PAGES.keys()]

export function isPage(path: string): boolean {
  return PAGES.has(path)
}

/** `path` is a page. */
export function pageAnswer(path: string, ifNoneMatch: string | undefined): Response {
  const { body, headers } = PAGES.get(path)!
  if (ifNoneMatch === headers['etag']) return new Response(null, { status: 304, headers })
  return new Response(body(), { headers })
}

function written(type: string, content: string, policy?: readonly string[]): Page {
  return { body: () => content, headers: headersOf(type, Bun.hash(content).toString(36), policy) }
}

/** Its name in the executable carries a hash of its content; run from source it is asked for anew each time it changes. */
function stored(type: string, path: string): Page {
  const file = Bun.file(path)
  return { body: () => file, headers: headersOf(type, Bun.hash(`${path} ${file.size}`).toString(36)) }
}

function headersOf(type: string, tag: string, policy?: readonly string[]): Record<string, string> {
  return {
    'content-type': type,
    'x-content-type-options': 'nosniff',
    // Kept by browsers, and asked about each time.
    'cache-control': 'no-cache',
    etag: `"${tag}"`,
    ...(policy === undefined
      ? null
      : {
          'content-security-policy': policy.join('; '),
          'cross-origin-opener-policy': 'same-origin',
          'referrer-policy': 'no-referrer',
        }),
  }
}
