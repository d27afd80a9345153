// What clients say wrong over a socket of the executable, all beside one subscription that goes on through it.

import { afterAll, beforeAll, expect, test } from 'bun:test'
import { BrokerProcess, scratchFolder } from './broker-process.ts'
import { RawFrames } from './raw-frames.ts'

const FRAME_BYTES_MAX = 2 << 20

const { folder, remove } = scratchFolder('bad-input')
let broker: BrokerProcess
let raw: RawFrames
let asked = 0

beforeAll(async () => {
  broker = await BrokerProcess.start({ data: folder })
  for (const topic of ['t', 'large']) await broker.call('PUT', `/v1/topics/${topic}`, { partitions: 1 })
  raw = await RawFrames.open(broker.port)
  await answerTo({ op: 'subscribe', id: 'healthy', topics: ['t'] })
})

afterAll(async () => {
  raw.end()
  await broker.kill()
  remove()
})

type Message = Record<string, unknown>

/** The first message that answers it by `id`, or is about `sub`. */
async function answerTo(message: Message): Promise<Message> {
  const from = raw.messages.length
  const isIt = (answer: Message): boolean =>
    ['id', 'sub'].some((name) => name in message && answer[name] === message[name])
  raw.say(message)
  await raw.until(() => raw.messages.slice(from).some(isIt))
  return raw.messages.slice(from).find(isIt)!
}

/** For what has no id to be answered by: the message that comes before the answer to a ping. */
async function saidTo(message: Message): Promise<Message[]> {
  const from = raw.messages.length
  raw.say(message)
  const id = `after ${asked++}`
  await answerTo({ op: 'ping', id })
  return raw.messages.slice(from).filter((answer) => answer['id'] !== id)
}

async function expectHealthy(): Promise<void> {
  const value = `n ${asked++}`
  await broker.call('POST', '/v1/topics/t/records', { records: [{ value }] })
  await raw.until(() =>
    raw.messages.some(
      ({ op, sub, records }) => op === 'records' && sub === 'healthy' && JSON.stringify(records).includes(value),
    ),
  )
}

test('an op that is not there, no op, no id', async () => {
  expect(await answerTo({ op: 'shout', id: 'a' })).toMatchObject({ op: 'error', problem: { code: 'invalid' } })
  expect(await saidTo({ id: 'b' })).toMatchObject([{ op: 'error', id: 'b', problem: { errors: [{ pointer: '/op' }] } }])
  for (const message of [
    { op: 'ping' },
    { op: 'subscribe', topics: ['t'] },
    { op: 'produce', topic: 't', records: [] },
    { op: 'unsubscribe', sub: 'healthy' },
  ]) {
    expect(await saidTo(message)).toMatchObject([{ op: 'error', problem: { errors: [{ pointer: '/id' }] } }])
  }
  await expectHealthy()
})

test('credit beyond all bounds, below zero, and for nobody', async () => {
  await answerTo({ op: 'subscribe', id: 'credited', topics: ['t'], from: 'latest', credit: { records: 1, bytes: 1 } })
  const grant = (records: number, bytes: number, sub = 'credited'): Promise<Message> =>
    answerTo({ op: 'credit', id: `grant ${asked++}`, sub, records, bytes })
  const refused = { op: 'error', problem: { code: 'invalid' } }
  for (const amount of [1_000_000_000, 1_000_000_001, 2 ** 53, -1, 0.5]) {
    expect(await grant(1, amount)).toMatchObject(refused)
    expect(await grant(amount, 1)).toMatchObject(refused)
  }
  expect(await grant(1, 1, 'nobody')).toMatchObject(refused)
  // What was refused has not been granted: one unit comes, and no other.
  await expectHealthy()
  await expectHealthy()
  await answerTo({ op: 'ping', id: 'credits done' })
  expect(raw.messages.filter(({ op, sub }) => op === 'records' && sub === 'credited')).toHaveLength(1)
})

test('a thousand subscriptions: as many as there may be, a refusal for each of the others', async () => {
  const from = raw.messages.length
  for (let i = 0; i < 1_000; i++) raw.say({ op: 'subscribe', id: `many ${i}`, topics: ['t'], from: 'latest' })
  await answerTo({ op: 'ping', id: 'thousand' })
  const answers = raw.messages.slice(from).filter(({ id }) => String(id).startsWith('many '))
  expect(answers).toHaveLength(1_000)
  expect(answers.filter(({ op }) => op === 'subscribed')).toHaveLength(98)
  const refusals = answers.filter(({ op }) => op === 'error')
  for (const { problem } of refusals) expect(problem).toMatchObject({ code: 'limit-reached', subscriptionsMax: 100 })
  await expectHealthy()
  for (let i = 0; i < 98; i++) await answerTo({ op: 'unsubscribe', id: `many ${i}`, sub: `many ${i}` })
  await expectHealthy()
})

test('a record larger than any credit comes whole; one larger than a frame is told with where to go on', async () => {
  const value = 'x'.repeat(100_000)
  await broker.call('POST', '/v1/topics/large/records', { records: [{ value }] })
  // Kept as bytes, each of which takes six in JSON.
  const body = Buffer.alloc(FRAME_BYTES_MAX / 4, 1)
  const headers = { 'content-type': 'application/octet-stream' }
  const answer = await fetch(`${broker.url}/v1/topics/large/records`, { method: 'POST', body, headers })
  expect(answer.status).toBe(200)
  await broker.call('POST', '/v1/topics/large/records', { records: [{ value: 'behind' }] })

  const of = (sub: string): Message[] => raw.messages.filter((message) => message['sub'] === sub)
  raw.say({ op: 'subscribe', id: 'large', topics: ['large'], credit: { records: 1, bytes: 1 } })
  await raw.until(() => of('large').length === 1)
  expect(of('large')[0]).toMatchObject({ records: [{ offset: 0, value }] })
  raw.say({ op: 'credit', sub: 'large', records: 10, bytes: 200_000 })
  await raw.until(() => of('large').length === 2)
  const { op, problem } = of('large')[1] as { op: string; problem: { nextCursor: string } }
  expect({ op, problem }).toMatchObject({ op: 'error', problem: { code: 'record-too-large', offset: 1 } })
  raw.say({ op: 'subscribe', id: 'behind', topics: ['large'], cursor: problem.nextCursor })
  await raw.until(() => of('behind').length === 1)
  expect(of('behind')[0]).toMatchObject({ records: [{ offset: 2, value: 'behind' }] })
  await expectHealthy()
})

test('tokens where there are none yet', async () => {
  expect(await answerTo({ op: 'hello', id: 'hello', token: 'x' })).toMatchObject({ problem: { code: 'unsupported' } })
  expect(await answerTo({ op: 'ping', id: 'p', token: 'x' })).toMatchObject({
    problem: { errors: [{ pointer: '/token' }] },
  })
  const upgrade = async (query: string, protocol: string): Promise<unknown> => {
    const headers = {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
      'sec-websocket-protocol': protocol,
    }
    const refusal = await fetch(`${broker.url}/v1/ws${query}`, { headers })
    return [refusal.status, ((await refusal.json()) as { code: string }).code]
  }
  expect(await upgrade('?token=x', 'naru.v1.json')).toEqual([400, 'unknown-parameter'])
  expect(await upgrade('?access_token=x', 'naru.v1.json')).toEqual([400, 'unknown-parameter'])
  expect(await upgrade('?ticket=x', 'naru.v1.json')).toEqual([422, 'unsupported'])
  expect(await upgrade('', 'naru.v1.json, bearer.eA')).toEqual([422, 'unsupported'])
  await expectHealthy()
})
