// The producer while the disk of its broker is full, for real: what it takes is bounded, what it says helps, and it goes on when
// there is room.

import { afterAll, expect, test } from 'bun:test'
import { join } from 'node:path'
import { type NaruError, Producer } from '../../src/client/index.ts'
import { BrokerProcess, until } from '../e2e/broker-process.ts'
import { SmallVolume } from '../e2e/small-volume.ts'

const BUFFER_BYTES = 256 * 1024
const FILLING = 'f'.repeat(1_000)

const volume = new SmallVolume(48 << 20)
let broker: BrokerProcess | null = null

afterAll(async () => {
  await broker?.kill()
  volume.end()
})

test.skipIf(!volume.isMounted)(
  'a disk that fills up and is emptied: nothing acknowledged is lost, nothing is there twice, and each loss is told',
  async () => {
    broker = await BrokerProcess.start({ data: join(volume.folder, 'data') })
    await broker.call('PUT', '/v1/topics/t', { partitions: 1 })
    const options = { brokers: broker.url, bufferBytes: BUFFER_BYTES }
    const patient = new Producer(options)
    const hasty = new Producer({ ...options, deliveryTimeoutMs: 1_000 })
    const kept: number[] = []
    const errors: NaruError[] = []
    const sends: Promise<void>[] = []
    let next = 0
    /** As many as are taken at once, as one who awaits nothing but the room. */
    const send = (producer: Producer, count: number): void => {
      for (let i = 0; i < count; i++) {
        const n = next++
        const sent = producer.send('t', { key: `k${n % 3}`, value: { n, filling: FILLING } })
        sends.push(
          sent.then(
            () => void kept.push(n),
            (error: unknown) => void errors.push(error as NaruError),
          ),
        )
        expect(producer.metrics.bufferedBytes).toBeLessThan(BUFFER_BYTES + 2 * FILLING.length)
      }
    }
    send(patient, 500)
    await Promise.all(sends)
    send(hasty, 500)
    await Promise.all(sends)
    expect([kept.length, errors.length]).toEqual([1_000, 0])

    volume.fill()
    send(hasty, 1_000)
    await Promise.all(sends)
    expect(errors.length).toBe(1_000)
    for (const { message, outcome, retryable } of errors) {
      expect({ outcome, retryable }).toEqual({ outcome: 'none', retryable: true })
      expect(message).toMatch(
        /The disk is nearly full: Nothing is taken until space is freed|send slower or raise bufferBytes/,
      )
    }

    // Who has time waits until it is not full any more.
    send(patient, 500)
    await until(Date.now() + 20_000, async () => patient.metrics.repeats > 0)
    volume.free()
    await Promise.all(sends)
    send(hasty, 500)
    await Promise.all(sends)
    expect([kept.length, errors.length]).toEqual([2_000, 1_000])
    for (const producer of [patient, hasty]) {
      expect(producer.metrics.bufferedBytes).toBe(0)
      await producer.close()
    }

    const path = '/v1/topics/t/partitions/0/records?limit=10000&maxBytes=8MiB'
    const { records } = await broker.call<{ records: { value: { n: number } }[] }>('GET', path)
    expect(records.map(({ value }) => value.n)).toEqual(kept.toSorted((a, b) => a - b))
  },
  30_000,
)
