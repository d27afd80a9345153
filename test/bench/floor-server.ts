// The floors: for each measured path a server that does only what no broker could leave out, in the same Bun and Hono.
// Started by the bench as a process of its own on the server's core; prints the port it took.

import { Hono } from 'hono'

const ok = { topic: 'bench', count: 1, partitions: [{ partition: 0, baseOffset: 1, lastOffset: 1, count: 1 }] }
const app = new Hono()

/** Takes a body and answers as a produce would: the floor of raw and batch produce. */
app.post('/take', async (c) => {
  await c.req.arrayBuffer()
  return c.json(ok)
})

/** A body parsed, nothing kept. */
app.post('/parse', async (c) => {
  const body = JSON.parse(await c.req.text()) as { records: unknown[] }
  return c.json({ ...ok, count: body.records.length })
})

app.post('/parse-lines', async (c) => {
  let count = 0
  for (const line of (await c.req.text()).split('\n')) {
    if (line === '') continue
    JSON.parse(line)
    count++
  }
  return c.json({ ...ok, count })
})

/** What `/stringify` answers with: set once by the bench, a ready object from then on. */
let answer: unknown = {}
app.put('/answer', async (c) => {
  answer = await c.req.json()
  return c.body(null, 204)
})
app.get('/stringify', (c) => c.json(answer))

/** A constant reply from memory. */
const constants = new Map<number, Uint8Array<ArrayBuffer>>()
app.get('/constant/:bytes', (c) => {
  const bytes = Number(c.req.param('bytes'))
  let body = constants.get(bytes)
  if (body === undefined) {
    body = crypto.getRandomValues(new Uint8Array(65_536))
    const whole = new Uint8Array(bytes)
    for (let at = 0; at < bytes; at += body.length) whole.set(body.subarray(0, Math.min(body.length, bytes - at)), at)
    body = whole
    constants.set(bytes, body)
  }
  return c.body(body)
})

/** A frame for every socket, as often as it is asked for; a socket alone is poured full instead. */
let pushed = ''
/** The same as bytes, in more memory than a processor has at hand. */
let copies: readonly Uint8Array[] = []
app.put('/pushed', async (c) => {
  pushed = await c.req.text()
  const bytes = new TextEncoder().encode(pushed)
  copies = Array.from({ length: Math.ceil(COPIES_BYTES / bytes.length) }, () => bytes.slice())
  return c.body(null, 204)
})
app.post('/publish', async (c) => {
  await c.req.arrayBuffer()
  server.publish('all', pushed)
  return c.json(ok)
})

const COPIES_BYTES = 64 << 20
const decoder = new TextDecoder()
let nextCopy = 0

const server = Bun.serve<SocketData>({
  hostname: '127.0.0.1',
  port: 0,
  fetch: (request, self) =>
    request.url.endsWith('/ws') && self.upgrade(request, { data: { frame: () => '' } })
      ? undefined
      : app.fetch(request),
  maxRequestBodySize: 64 << 20,
  websocket: {
    backpressureLimit: 64 << 20,
    message(socket, message) {
      const { op } = JSON.parse(String(message)) as { op: 'subscribe' | 'pour' | 'pour-made' }
      socket.sendText('subscribed')
      socket.data.frame = op === 'pour-made' ? madeFrame : () => pushed
      if (op === 'subscribe') socket.subscribe('all')
      else pour(socket)
    },
    drain: (socket) => (socket.isSubscribed('all') ? undefined : pour(socket)),
  },
})

interface SocketData {
  frame: () => string
}

/** Sends what the socket takes, a turn of the loop at a time. */
function pour(socket: Bun.ServerWebSocket<SocketData>): void {
  for (let i = 0; i < 4; i++) if (socket.sendText(socket.data.frame()) <= 0) return
  setImmediate(pour, socket)
}

/** A text of its own, from bytes that lie in memory: what who reads a log has to do at the very least. */
function madeFrame(): string {
  nextCopy = (nextCopy + 1) % copies.length
  return decoder.decode(copies[nextCopy]!)
}

/** Not even HTTP: a constant reply to whatever comes, to show what the load itself can reach. */
const reply = Buffer.from(`HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok`)
const trivial = Bun.listen({
  hostname: '127.0.0.1',
  port: 0,
  socket: { data: (socket) => void socket.write(reply) },
})

console.log(JSON.stringify({ port: server.port, trivialPort: trivial.port }))
