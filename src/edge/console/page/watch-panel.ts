// The records of a topic as they arrive: from where, through which filter, paused and gone on with.

import { topicAddress, wordsOf } from './broker.ts'
import { curlFollowing } from './curl.ts'
import { byId } from './elements.ts'
import { Live, type LiveState } from './live.ts'
import { tagsIn } from './publish-form.ts'
import { RecordList } from './record-list.ts'

export class WatchPanel {
  readonly #from = byId('watch-from', HTMLSelectElement)
  readonly #tags = byId('watch-tags', HTMLInputElement)
  readonly #pause = byId('watch-pause', HTMLButtonElement)
  readonly #state = byId('state', HTMLSpanElement)
  readonly #note = byId('watch-note', HTMLParagraphElement)
  readonly #curl = byId('watch-curl', HTMLElement)
  readonly #records = new RecordList(byId('records', HTMLOListElement), byId('watch-count', HTMLParagraphElement))
  readonly #onRecords: () => void
  #topic = ''
  #live: Live | null = null
  #isPaused = false

  constructor(onRecords: () => void) {
    this.#onRecords = onRecords
    this.#from.addEventListener('change', () => this.#begin())
    this.#tags.addEventListener('change', () => this.#begin())
    byId('watch', HTMLFormElement).addEventListener('submit', (event) => event.preventDefault())
    byId('watch-clear', HTMLButtonElement).addEventListener('click', () => this.#records.clear())
    this.#pause.addEventListener('click', () => {
      if (this.#isPaused) this.#live?.start()
      else this.#live?.stop()
    })
  }

  /** Null: nothing is watched. */
  show(topic: string | null): void {
    this.#topic = topic ?? ''
    this.#begin()
  }

  #begin(): void {
    this.#live?.stop()
    this.#live = null
    this.#records.clear()
    if (this.#topic === '') return
    const tags = tagsIn(this.#tags.value)
    const from = this.#from.value
    const filter = tags.length === 0 ? '' : `&tags=${tags.map(encodeURIComponent).join(',')}`
    this.#curl.textContent = curlFollowing(
      `${topicAddress(this.#topic)}/records?format=record&from=${from}&follow=true${filter}`,
    )
    const live: Live = new Live(
      { topic: this.#topic, from, tags },
      {
        onRecords: (records) => {
          this.#records.add(records)
          this.#onRecords()
        },
        onReset: (reset) => this.#records.addReset(reset),
        onState: (state) => {
          if (live === this.#live) this.#show(state)
        },
      },
    )
    this.#live = live
    live.start()
  }

  #show(state: LiveState): void {
    this.#state.className = state.kind
    this.#state.textContent = wordOf(state)
    this.#note.textContent = 'problem' in state && state.problem !== null ? wordsOf(state.problem) : ''
    this.#isPaused = state.kind === 'paused' || state.kind === 'ended'
    this.#pause.textContent = this.#isPaused ? 'Go on' : 'Pause'
  }
}

function wordOf(state: LiveState): string {
  switch (state.kind) {
    case 'connecting':
      return 'connecting…'
    case 'live':
      return state.over === 'WebSocket' ? 'live' : 'live, over EventSource'
    case 'waiting':
      return 'the connection is gone, trying again…'
    case 'ended':
      return 'ended'
    case 'paused':
      return 'paused'
  }
}
