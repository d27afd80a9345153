// A change of the cluster's metadata, from command to answer.

import type { Broker } from '../../core/broker/index.ts'
import type { TopicCommand } from '../../core/cluster/index.ts'
import { problemOf, topicView } from '../wire/index.ts'
import { jsonAnswer, problemAnswer } from './answer.ts'
import type { ControlPath } from './table.ts'

export async function change(path: ControlPath, command: TopicCommand): Promise<Response> {
  return replyAnswer(path, await path.broker.submit(command))
}

export function replyAnswer(path: ControlPath, reply: Awaited<ReturnType<Broker['submit']>>): Response {
  switch (reply.kind) {
    case 'created':
    case 'exists':
    case 'altered':
    case 'grown':
    case 'retiring': {
      const topic = path.broker.image.topicById(reply.topic.id)
      if (topic === null) return problemAnswer(problemOf({ kind: 'unknown-topic', name: reply.topic.name }))
      return jsonAnswer(topicView(topic, path.broker.pictureOf(topic)), reply.kind === 'created' ? 201 : 200)
    }
    case 'deleted':
      return jsonAnswer({ topic: reply.topic.name, topicId: reply.topic.id })
    case 'producer-ids':
      return jsonAnswer({ producerId: reply.firstId, producerEpoch: 0 }, 201)
    default:
      return problemAnswer(problemOf(reply))
  }
}
