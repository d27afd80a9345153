// Every WebSocket of the port, handed to the room it is for. The port opens before the rooms are there; until then no request
// becomes a socket.

import { type Push, socketSettings } from '../push/index.ts'

type PushData = NonNullable<Parameters<NonNullable<Push['websocket']['open']>>[0]['data']>
type SocketData = PushData

export class Sockets {
  readonly websocket: Bun.WebSocketHandler<unknown>
  #push: Push['websocket'] | null = null

  constructor(idleS: number) {
    const handler: Bun.WebSocketHandler<SocketData> = {
      ...socketSettings(idleS),
      open: (raw) => this.#push!.open!(raw),
      message: (raw, message) => this.#push!.message!(raw, message),
      drain: (raw) => this.#push!.drain!(raw),
      close: (raw, code, reason) => this.#push!.close!(raw, code, reason),
    }
    this.websocket = handler as Bun.WebSocketHandler<unknown>
  }

  open(push: Push): void {
    this.#push = push.websocket
  }
}
