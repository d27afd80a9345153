// The topics of the broker, to be picked from. The one that is picked stands in the page's address, so that it can be kept as a
// bookmark and the browser's own buttons go back.

import { Refused, type TopicSummary, topics } from './broker.ts'
import { byId, element } from './elements.ts'

const HASH = '#/'
const TOPIC_HASH = /^#\/([A-Za-z0-9._-]{1,249})$/

export class TopicList {
  readonly #list = byId('topics', HTMLUListElement)
  readonly #filter = byId('topic-filter', HTMLInputElement)
  readonly #note = byId('topics-note', HTMLParagraphElement)
  #topics: readonly TopicSummary[] = []

  constructor() {
    this.#filter.addEventListener('input', () => this.#draw())
    addEventListener('hashchange', () => this.#draw())
  }

  get picked(): string | null {
    return TOPIC_HASH.exec(location.hash)?.[1] ?? null
  }

  pick(topic: string): void {
    location.hash = HASH + topic
  }

  /** Asks the broker. */
  async refresh(): Promise<void> {
    try {
      this.#topics = await topics()
      this.#note.textContent = this.#topics.length === 0 ? 'There are none yet.' : ''
    } catch (error) {
      this.#note.textContent = error instanceof Refused ? error.message : 'The broker does not answer.'
      return
    }
    this.#draw()
  }

  #draw(): void {
    const wanted = this.#filter.value.toLowerCase()
    const shown = this.#topics.filter(({ topic }) => topic.toLowerCase().includes(wanted))
    const { picked } = this
    // Its focus, and where it is scrolled to, survive when nothing has changed.
    const drawn = JSON.stringify([shown, picked])
    if (this.#list.dataset['drawn'] === drawn) return
    this.#list.dataset['drawn'] = drawn
    this.#list.replaceChildren(...shown.map((topic) => lineOf(topic, topic.topic === picked)))
  }
}

function lineOf({ topic, partitions }: TopicSummary, isPicked: boolean): HTMLLIElement {
  const count = element(
    'small',
    { title: partitions === 1 ? '1 partition' : `${partitions} partitions` },
    `${partitions}`,
  )
  const link = element('a', { href: HASH + topic }, topic, count)
  if (isPicked) link.setAttribute('aria-current', 'true')
  return element('li', {}, link)
}
