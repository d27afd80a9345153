// The console: the first minute for people who do not use curl. Topics on one side; of the one that is picked, its partitions, a
// form to publish with, and its records as they arrive.

import { ask, topicAddress } from './broker.ts'
import { curlPosting } from './curl.ts'
import { byId } from './elements.ts'
import { PartitionTable } from './partition-table.ts'
import { PublishForm } from './publish-form.ts'
import { TopicList } from './topic-list.ts'
import { WatchPanel } from './watch-panel.ts'

const REFRESH_MS = 5_000

const partitions = new PartitionTable()
const publish = new PublishForm(() => partitions.soon())
const watch = new WatchPanel(() => partitions.soon())
const topics = new TopicList(show)

function show(topic: string | null): void {
  byId('welcome', HTMLElement).hidden = topic !== null
  byId('topic', HTMLDivElement).hidden = topic === null
  document.title = topic === null ? 'Naru' : `${topic} · Naru`
  if (topic !== null) {
    byId('topic-name', HTMLHeadingElement).textContent = topic
    partitions.show(topic)
    publish.show(topic)
  }
  watch.show(topic)
}

async function create(): Promise<void> {
  const name = byId('create-name', HTMLInputElement)
  const count = byId('create-partitions', HTMLInputElement)
  const note = byId('create-note', HTMLParagraphElement)
  note.className = 'note'
  note.textContent = ''
  try {
    await ask({
      method: 'PUT',
      address: topicAddress(name.value),
      contentType: 'application/json',
      body: JSON.stringify({ partitions: count.valueAsNumber }),
    })
  } catch (error) {
    note.className = 'note problem'
    note.textContent = error instanceof Error ? error.message : String(error)
    return
  }
  topics.pick(name.value)
  name.value = ''
  await topics.refresh()
}

function copyOnClick(button: HTMLButtonElement): void {
  button.addEventListener('click', () => {
    const copied = byId(button.dataset['copies']!, HTMLElement)
    const said = (words: string): void => {
      button.textContent = words
      setTimeout(() => {
        button.textContent = 'Copy'
      }, 1_500)
    }
    // Only pages that came over TLS, or from this machine, may write there.
    const written = navigator.clipboard?.writeText(copied.textContent) ?? Promise.reject(new Error('no clipboard'))
    written.then(
      () => said('Copied'),
      () => getSelection()?.selectAllChildren(copied),
    )
  })
}

byId('welcome-curl', HTMLElement).textContent = curlPosting({
  method: 'POST',
  address: `${topicAddress('hello')}/records`,
  contentType: 'text/plain',
  body: 'hello from curl',
})
byId('create', HTMLFormElement).addEventListener('submit', (event) => {
  event.preventDefault()
  void create()
})
document.querySelectorAll<HTMLButtonElement>('button.copy').forEach(copyOnClick)
setInterval(() => {
  if (document.visibilityState === 'visible') void topics.refresh()
}, REFRESH_MS)
show(topics.picked)
void topics.refresh()
