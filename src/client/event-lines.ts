// The data of the events of a text/event-stream, as the broker writes it: a line of JSON each.

const DATA = 'data:'

export async function* eventData(body: ReadableStream<Uint8Array>): AsyncGenerator<string, void, undefined> {
  const reader = body.getReader()
  const decoder = new TextDecoder()
  // A line may come in many pieces, which are joined once.
  let pieces: string[] = []
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      const text = decoder.decode(value, { stream: true })
      let start = 0
      for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', start)) {
        pieces.push(text.slice(start, end))
        start = end + 1
        const line = pieces.length === 1 ? pieces[0]! : pieces.join('')
        pieces = []
        if (line.startsWith(DATA)) yield line.slice(DATA.length)
      }
      if (start < text.length) pieces.push(text.slice(start))
    }
  } finally {
    // Nobody reads on; that the connection may have broken already is told elsewhere.
    reader.cancel().catch(() => {})
  }
}
