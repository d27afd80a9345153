// The emitted document of what is pushed: AsyncAPI 3, from the same shapes as the HTTP one. Sockets say and hear one message an
// `op`, event streams are heard only. Told from the broker's side, as AsyncAPI wants it: it receives what clients say.

import { OpenAPIHono } from '@hono/zod-openapi'
import { ClientOpShape, EventShape, ServerMessageShape } from '../wire/index.ts'

type Schema = Readonly<Record<string, unknown>>

interface Union {
  readonly oneOf?: readonly Variant[]
  readonly anyOf?: readonly Variant[]
}

interface Variant extends Schema {
  readonly description?: string
  readonly properties: Readonly<Record<string, { readonly const?: string; readonly enum?: readonly string[] }>>
}

const SOCKET =
  'One JSON object a frame. A subscription is named by the `id` of its subscribe; what is pushed carries it as `sub`. Closed with ' +
  '4400 (bad frame), 4401, 4403: do not try again; 4409: no member of its group any more, join again unless `replaced`; ' +
  '1012 (restart), 1013 (too slow): resume from the latest cursor.'
const EVENTS = 'For EventSource: the id of an event is the cursor behind it, which a browser sends when it comes back.'

export function asyncApiText(): string {
  const { ClientOp, ServerMessage, Event, ...schemas } = componentSchemas()
  const [said, heard] = [messagesOf(ClientOp!, 'op'), messagesOf(ServerMessage!, 'op')]
  const events = messagesOf(Event!, 'type')
  const document = {
    asyncapi: '3.0.0',
    info: {
      title: 'Naru',
      version: '1',
      description: 'Records pushed over WebSockets and event streams.',
      license: { name: 'Apache-2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0' },
    },
    defaultContentType: 'application/json',
    servers: {
      socket: { host: 'localhost:7070', protocol: 'ws', description: 'Subprotocol naru.v1.json' },
      http: { host: 'localhost:7070', protocol: 'http' },
    },
    channels: {
      said: channel('/v1/ws', 'socket', `What clients say. ${SOCKET}`, said),
      heard: channel('/v1/ws', 'socket', `What the broker says. ${SOCKET}`, heard),
      topicEvents: {
        ...channel('/v1/topics/{topic}/records/stream', 'http', EVENTS, events),
        parameters: { topic: { description: 'Name of the topic.' } },
      },
      topicsEvents: channel('/v1/records/stream', 'http', EVENTS, events),
    },
    operations: {
      take: operation('receive', 'said', 'Taken one after another; each with an id is answered'),
      push: operation('send', 'heard', 'Answers, records, and where a subscription stands'),
      streamTopic: operation('send', 'topicEvents', 'Records of a topic as they come'),
      streamTopics: operation('send', 'topicsEvents', 'Records of several topics as they come'),
    },
    components: { schemas },
  }
  return `${JSON.stringify(document, null, 2)}\n`
}

/** As the HTTP document would have them; references are the same here. */
function componentSchemas(): Record<string, Schema> {
  const app = new OpenAPIHono()
  for (const [name, shape] of Object.entries({
    ClientOp: ClientOpShape,
    ServerMessage: ServerMessageShape,
    Event: EventShape,
  }))
    app.openAPIRegistry.register(name, shape)
  const { components } = app.getOpenAPI31Document({ openapi: '3.1.0', info: { title: '', version: '' } })
  return components!.schemas as Record<string, Schema>
}

/** A message for each variant of a union, by what its tag says. */
function messagesOf(union: Union, tag: string): Record<string, object> {
  const variants = union.oneOf ?? union.anyOf ?? []
  return Object.fromEntries(
    variants.map(({ description, ...payload }) => {
      const said = payload.properties[tag]!
      const name = said.const ?? said.enum![0]!
      return [name, { name, ...(description === undefined ? null : { summary: description }), payload }]
    }),
  )
}

function channel(address: string, server: string, description: string, messages: Record<string, object>): object {
  return { address, description, servers: [{ $ref: `#/servers/${server}` }], messages }
}

function operation(action: 'receive' | 'send', channelName: string, summary: string): object {
  return { action, summary, channel: { $ref: `#/channels/${channelName}` } }
}
