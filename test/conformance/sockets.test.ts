// Requests as bytes: framing that two parsers could read differently, uploads that stall, clients that vanish. Bun's parser
// refuses most of the first kind; this holds it to that with HTTP/2 on, at every new version.

import { expect, test } from 'bun:test'
import { freshTopic, get, post, recordsOf } from './client.ts'
import { hasBody, RawSocket, statusOf } from './raw-socket.ts'
import { BODY_MS, forEachTarget } from './target.ts'

const CHUNKED = 'Transfer-Encoding: chunked\r\n'

/** Refused and closed: nothing behind them is read as a request. */
const refused: readonly [what: string, head: string, body: string][] = [
  ['both lengths', 'Content-Length: 4\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'],
  ['both lengths, the other way round', 'Transfer-Encoding: chunked\r\nContent-Length: 4\r\n', '0\r\n\r\n'],
  ['two lengths', 'Content-Length: 1\r\nContent-Length: 2\r\n', 'ab'],
  ['a list of lengths', 'Content-Length: 1, 2\r\n', 'ab'],
  ['a length with a sign', 'Content-Length: +1\r\n', 'a'],
  ['a negative length', 'Content-Length: -1\r\n', 'a'],
  ['a hexadecimal length', 'Content-Length: 0x1\r\n', 'a'],
  ['a length of 20 digits', 'Content-Length: 99999999999999999999\r\n', 'a'],
  ['a coding before chunked', 'Transfer-Encoding: gzip, chunked\r\n', '0\r\n\r\n'],
  ['a name with a space', 'Transfer-Encoding : chunked\r\n', '0\r\n\r\n'],
  ['another coding', 'Transfer-Encoding: xchunked\r\n', '0\r\n\r\n'],
  ['a chunk length with 0x', CHUNKED, '0x1\r\na\r\n0\r\n\r\n'],
  ['chunks with bare line feeds', CHUNKED, '1\na\n0\n\n'],
  ['a chunk length beyond all bounds', CHUNKED, 'ffffffffffffffffff\r\na'],
  ['a folded header', 'X-A: b\r\n c\r\nContent-Length: 1\r\n', 'a'],
  ['NUL in a header', 'X-A: b\0c\r\nContent-Length: 1\r\n', 'a'],
  ['a bare carriage return', 'X-A: b\rX-B: c\r\nContent-Length: 1\r\n', 'a'],
  ['a header of 20 KB', `X-A: ${'a'.repeat(20_000)}\r\nContent-Length: 1\r\n`, 'a'],
  ['300 headers', `${Array.from({ length: 300 }, (_, i) => `X-${i}: a\r\n`).join('')}Content-Length: 1\r\n`, 'a'],
  ['another Host beside it', 'Host: b\r\nContent-Length: 1\r\n', 'a'],
  ['the same Host twice', 'Host: a\r\nContent-Length: 1\r\n', 'a'],
]

forEachTarget(
  (target) => {
    const open = (): Promise<RawSocket> => RawSocket.open(target().port)

    for (const [what, head, body] of refused) {
      test(`refused and closed: ${what}`, async () => {
        const topic = freshTopic()
        const socket = await open()
        const smuggled = `POST /v1/topics/${topic}/records HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\nsmuggled`
        socket.send(`POST /v1/topics/${topic}/records HTTP/1.1\r\nHost: a\r\n${head}\r\n${body}${smuggled}`)
        const received = await socket.closed()
        expect([400, 413, 431, 501, 505]).toContain(statusOf(received))
        expect(received.match(/HTTP\/1\.1 /g)).toHaveLength(1)
        const read = await get(target(), `/v1/topics/${topic}/records`)
        expect(read.status).toBe(404)
      })
    }

    test('no Host, or one that is no host', async () => {
      for (const host of ['', 'Host: a/b\r\n', 'Host: a@b\r\n', 'Host: a b\r\n', 'Host: a,b\r\n']) {
        const socket = await open()
        socket.send(`GET /healthz HTTP/1.1\r\n${host}\r\n`)
        expect([host, statusOf(await socket.closed())]).toEqual([host, 400])
      }
    })

    test('an absolute target is read as its path, whatever host it names', async () => {
      const topic = freshTopic()
      const socket = await open()
      const target = `http://other.example/v1/topics/${topic}/records`
      socket.send(`POST ${target} HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx`)
      expect(statusOf(await socket.until(hasBody))).toBe(200)
      socket.vanish()
    })

    test('dots in a path are resolved before it is looked at, encoded ones too', async () => {
      for (const path of [
        '/v1/topics/../../etc/passwd',
        '/v1/topics/%2e%2e/%2e%2e/etc/passwd',
        '/../../healthz/..%2f',
      ]) {
        const socket = await open()
        socket.send(`GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`)
        expect([path, statusOf(await socket.closed())]).toEqual([path, 404])
      }
    })

    test('chunk extensions are passed over, and the connection is used again', async () => {
      const topic = freshTopic()
      const socket = await open()
      const path = `/v1/topics/${topic}/records`
      socket.send(`POST ${path} HTTP/1.1\r\nHost: a\r\n${CHUNKED}\r\n3;x=y\r\nabc\r\n0\r\n\r\n`)
      expect(statusOf(await socket.until(hasBody))).toBe(200)
      socket.send(`POST ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 3\r\n\r\ndef`)
      expect((await socket.closed()).match(/HTTP\/1\.1 200/g)).toHaveLength(2)
      expect((await recordsOf(target(), path)).map(({ value }) => value)).toEqual(['abc', 'def'])
    })

    test('a body that stalls is 408, its connection closed, nothing kept', async () => {
      const topic = freshTopic()
      const lengths = ['Content-Length: 100\r\n\r\nhalf of', `${CHUNKED}\r\n7\r\nhalf of\r\n`]
      await Promise.all(
        lengths.map(async (rest) => {
          const socket = await open()
          const startMs = performance.now()
          socket.send(`POST /v1/topics/${topic}/records HTTP/1.1\r\nHost: a\r\n${rest}`)
          const received = await socket.closed()
          expect(statusOf(received)).toBe(408)
          expect(received).toContain('"code":"upload-stalled","outcome":"none"')
          expect(performance.now() - startMs).toBeGreaterThanOrEqual(BODY_MS - 50)
        }),
      )
      expect((await get(target(), `/v1/topics/${topic}/records`)).status).toBe(404)
    })

    test('a refused upload is answered although most of it was never read', async () => {
      const socket = await open()
      socket.send('POST /v1/topics/big/records HTTP/1.1\r\nHost: a\r\nContent-Length: 400000000\r\n\r\nabc')
      expect(statusOf(await socket.closed())).toBe(413)
    })

    test('a client that vanishes in the middle of its body leaves nothing', async () => {
      const topic = freshTopic()
      const socket = await open()
      socket.send(`POST /v1/topics/${topic}/records HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf`)
      socket.vanish()
      await post(target(), `/v1/topics/${topic}/records`, 'whole')
      expect((await recordsOf(target(), `/v1/topics/${topic}/records`)).map(({ value }) => value)).toEqual(['whole'])
    })

    test('a client that vanishes while it waits, or in the middle of an answer, is let go', async () => {
      const topic = freshTopic()
      const path = `/v1/topics/${topic}/records`
      for (let i = 0; i < 8; i++) await post(target(), path, 'x'.repeat(1_000_000))
      const ask = (query: string, accept: string): string =>
        `GET ${path}?${query} HTTP/1.1\r\nHost: a\r\nAccept: ${accept}\r\n\r\n`
      const waiting = await open()
      waiting.send(ask('from=latest&wait=60s', '*/*'))
      const following = await open()
      following.send(ask('follow=true', 'application/x-ndjson'))
      await following.until((received) => received.length > 100_000)
      const busy = await waiters(target, topic, 1)
      waiting.vanish()
      following.vanish()
      expect(busy).toBe(true)
      expect(await waiters(target, topic, 0)).toBe(true)
    })

    test('HTTP/2 without TLS is served on the same port', async () => {
      const socket = await open()
      socket.send('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0')
      const received = await socket.until((bytes) => bytes.length >= 9)
      expect(received.charCodeAt(3)).toBe(4)
      socket.vanish()
    })
  },
  { needsPort: true },
)

/** Whether the broker comes to count that many parked reads or, at zero, none. */
async function waiters(target: () => Parameters<typeof get>[0], topic: string, count: number): Promise<boolean> {
  for (let tries = 0; tries < 100; tries++) {
    const parked = await parkedReads(target())
    if (count === 0 ? parked === 0 : parked >= count) return true
    // A long poll of our own that another's record wakes would be seen too: ask for something that comes at once.
    await get(target(), `/v1/topics/${topic}/records?limit=1`)
  }
  return false
}

async function parkedReads(target: Parameters<typeof get>[0]): Promise<number> {
  const { text } = await get(target, '/metrics')
  return Number(/^naru_waiters (\d+)$/m.exec(text)?.[1] ?? 'NaN')
}
