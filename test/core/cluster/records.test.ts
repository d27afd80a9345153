import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { type ClusterRecord, clusterRecords } from '../../../src/core/cluster/index.ts'
import { UnreadableRecord } from '../../../src/core/machine/index.ts'

const encoder = new TextEncoder()
const ID = 'abcdefghijklmnopqrst'

/** Persisted: these texts stay readable for ever. */
const STORED: [string, string][] = [
  [
    'topic-created',
    `{"kind":"topic-created","id":"${ID}","name":"orders","partitionCount":4,"replicationFactor":3,"config":{"retentionMs":-1,"flush":"os"},"createdAt":1790000000000}`,
  ],
  ['topic-altered', `{"kind":"topic-altered","id":"${ID}","config":{"compression":"zstd"}}`],
  ['partitions-added', `{"kind":"partitions-added","id":"${ID}","partitionCount":8}`],
  ['topic-deleted', `{"kind":"topic-deleted","id":"${ID}","name":"orders","deletedAt":1790000000001}`],
  ['producer-ids-allocated', `{"kind":"producer-ids-allocated","nextProducerId":1001}`],
  ['partitions-placed', `{"kind":"partitions-placed","id":"${ID}","first":2,"replicas":[[1,2,3],[2]],"epoch":9}`],
  [
    'partition-changed',
    `{"kind":"partition-changed","id":"${ID}","partition":0,"replicas":[1,2],"adding":[2],"isr":[1],"leader":null,"leaderEpoch":7,"partitionEpoch":9}`,
  ],
  [
    'broker-registered',
    `{"kind":"broker-registered","nodeId":1,"incarnationId":"${ID}","directoryId":"${ID}","rack":null,"address":"http://a:7070","brokerEpoch":4,"isFenced":true}`,
  ],
  ['broker-fenced', `{"kind":"broker-fenced","nodeId":1,"epoch":5}`],
  ['broker-unfenced', `{"kind":"broker-unfenced","nodeId":1,"epoch":6}`],
  ['epochs-drawn', `{"kind":"epochs-drawn","nextEpoch":10}`],
  [
    'partition-retiring',
    `{"kind":"partition-retiring","id":"${ID}","partition":3,"retiredAt":1790000000000,"removeAt":1790003600000}`,
  ],
  ['partition-removed', `{"kind":"partition-removed","id":"${ID}","partition":3}`],
]

describe('records of the metadata log', () => {
  test.each(STORED)('%s is stored as it was', (kind, text) => {
    const record = clusterRecords.decode(encoder.encode(text))
    expect(record.kind).toBe(kind as ClusterRecord['kind'])
    expect(new TextDecoder().decode(clusterRecords.encode(record))).toBe(text)
  })

  test.each([
    ['no JSON', '{"kind":'],
    ['no object', '7'],
    ['null', 'null'],
    ['no kind', '{"id":1}'],
    ['an unknown kind', '{"kind":"topic-frozen","id":"abcdefghijklmnopqrst"}'],
    ['a kind of the prototype', '{"kind":"toString"}'],
    ['a member too many', STORED[4]![1].replace('}', ',"of":1}')],
    ['a member too few', '{"kind":"topic-deleted","id":"abcdefghijklmnopqrst","name":"orders"}'],
    ['a bad id', STORED[2]![1].replace(ID, '../../etc/passwd')],
    ['a bad name', STORED[3]![1].replace('orders', 'a/b')],
    ['an unknown setting', STORED[1]![1].replace('compression', 'encryption')],
    ['an unknown choice', STORED[1]![1].replace('zstd', 'lz4')],
    ['a number that is text', STORED[2]![1].replace('8', '"8"')],
    ['a partition on no broker', STORED[5]![1].replace('[2]', '[]')],
    ['a leader that is no broker', STORED[6]![1].replace('null', '-1')],
    ['a node that is none', STORED[6]![1].replace('[1,2]', '[1,"2"]')],
    ['a rack that is a number', STORED[7]![1].replace('null', '7')],
  ])('%s is not read', (_, text) => {
    expect(() => clusterRecords.decode(encoder.encode(text))).toThrow(UnreadableRecord)
  })

  test('any bytes: read, or refused', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array(),
          fc.json().map((text) => encoder.encode(text)),
        ),
        (bytes) => {
          try {
            clusterRecords.decode(bytes)
          } catch (error) {
            expect(error).toBeInstanceOf(UnreadableRecord)
          }
        },
      ),
    )
  })
})
