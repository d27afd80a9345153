// One record, published. The request that is sent and the line of curl are made from the same thing. JSON goes as it was typed:
// it is only looked at here to tell what is wrong with it.

import { ask, type Posted, type Produced, topicAddress } from './broker.ts'
import { curlPosting } from './curl.ts'
import { byId } from './elements.ts'

export class PublishForm {
  readonly #form = byId('publish', HTMLFormElement)
  readonly #value = byId('publish-value', HTMLTextAreaElement)
  readonly #json = byId('publish-json', HTMLInputElement)
  readonly #key = byId('publish-key', HTMLInputElement)
  readonly #tags = byId('publish-tags', HTMLInputElement)
  readonly #note = byId('publish-note', HTMLParagraphElement)
  readonly #curl = byId('publish-curl', HTMLElement)
  readonly #onPublished: () => void
  #topic = ''

  constructor(onPublished: () => void) {
    this.#onPublished = onPublished
    this.#form.addEventListener('input', () => this.#show())
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault()
      void this.#publish()
    })
    this.#value.addEventListener('keydown', (event) => {
      if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) this.#form.requestSubmit()
    })
  }

  show(topic: string): void {
    this.#topic = topic
    this.#say('', '')
    this.#show()
  }

  #show(): void {
    this.#curl.textContent = curlPosting(this.#asked())
  }

  async #publish(): Promise<void> {
    const topic = this.#topic
    const asked = this.#asked()
    const fault = this.#json.checked ? jsonFault(this.#value.value) : null
    if (fault !== null) return this.#say('problem', `This is not JSON: ${fault}`)
    this.#say('', '')
    try {
      const { partitions = [] } = await ask<Produced>(asked)
      if (topic !== this.#topic) return
      const places = partitions.map(({ partition, baseOffset }) => `partition ${partition}, offset ${baseOffset}`)
      this.#say('done', `Kept at ${places.join('; ')}`)
      this.#onPublished()
    } catch (error) {
      if (topic === this.#topic) this.#say('problem', error instanceof Error ? error.message : String(error))
    }
  }

  #asked(): Posted {
    const value = this.#value.value
    const key = this.#key.value
    const tags = tagsIn(this.#tags.value)
    const address = `${topicAddress(this.#topic)}/records`
    if (this.#json.checked) {
      const members = [
        ...(key === '' ? [] : [`"key":${JSON.stringify(key)}`]),
        `"value":${value.trim()}`,
        ...(tags.length === 0 ? [] : [`"tags":${JSON.stringify(tags)}`]),
      ]
      return { method: 'POST', address, contentType: 'application/json', body: `{${members.join(',')}}` }
    }
    const query = [
      ...(key === '' ? [] : [`key=${encodeURIComponent(key)}`]),
      ...(tags.length === 0 ? [] : [`tags=${tags.map(encodeURIComponent).join(',')}`]),
    ]
    const place = query.length === 0 ? address : `${address}?${query.join('&')}`
    return { method: 'POST', address: place, contentType: 'text/plain', body: value }
  }

  #say(kind: '' | 'done' | 'problem', words: string): void {
    this.#note.className = `note ${kind}`
    this.#note.textContent = words
  }
}

/** As typed: parted by commas. */
export function tagsIn(text: string): string[] {
  return text
    .split(',')
    .map((tag) => tag.trim())
    .filter((tag) => tag !== '')
}

function jsonFault(text: string): string | null {
  try {
    JSON.parse(text)
    return null
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
