// A page as somebody else writes it: a few lines that subscribe with what the browser has, by WebSocket or by EventSource, and come
// back after a cut. What it saw stands in `seen`.

export interface Seen {
  partition: number
  offset: number
  value: unknown
}

export const FOLLOW_PAGE = `<!doctype html><title>follow</title><script>
const asked = new URLSearchParams(location.search)
const broker = asked.get('broker')
const topic = asked.get('topic')
const seen = []
const told = []
const keep = (records) => { for (const { partition, offset, value } of records) seen.push({ partition, offset, value }) }

function bySocket() {
  let cursor
  const open = () => {
    const socket = new WebSocket(broker.replace('http', 'ws') + '/v1/ws', 'naru.v1.json')
    socket.onopen = () => socket.send(JSON.stringify({ op: 'subscribe', id: 's', topics: [topic], cursor }))
    socket.onmessage = ({ data }) => {
      const message = JSON.parse(data)
      told.push(message.op)
      if (message.op === 'records') keep(message.records)
      if (message.cursor) cursor = message.cursor
    }
    socket.onclose = () => setTimeout(open, 50)
  }
  open()
}

function byEventSource() {
  const stream = new EventSource(broker + '/v1/records/stream?topics=' + topic)
  for (const type of ['position', 'records', 'reset', 'problem', 'drain']) {
    stream.addEventListener(type, ({ data }) => {
      told.push(type)
      if (type === 'records') keep(JSON.parse(data).records)
    })
  }
}

if (asked.get('by') === 'WebSocket') bySocket()
if (asked.get('by') === 'EventSource') byEventSource()
</script>`
