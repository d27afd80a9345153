// The console: the first minute for people who do not use curl. Topics and groups on one side; of the topic that is picked, its
// partitions, a form to publish with, and its records as they arrive; of a group, who has what and how far behind it is.

import { ask, topicAddress } from './broker.ts'
import { curlPosting } from './curl.ts'
import { byId } from './elements.ts'
import { GroupList } from './group-list.ts'
import { GroupPanel } from './group-panel.ts'
import { PartitionTable } from './partition-table.ts'
import { PublishForm } from './publish-form.ts'
import { TopicList } from './topic-list.ts'
import { WatchPanel } from './watch-panel.ts'

const REFRESH_MS = 5_000

const partitions = new PartitionTable()
const publish = new PublishForm(() => partitions.soon())
const watch = new WatchPanel(() => partitions.soon())
const group = new GroupPanel()
const groups = new GroupList()
const topics = new TopicList()

function show(): void {
  const topic = topics.picked
  const groupName = groups.picked
  const picked = topic ?? groupName
  byId('welcome', HTMLElement).hidden = picked !== null
  byId('topic', HTMLDivElement).hidden = topic === null
  byId('group', HTMLDivElement).hidden = groupName === null
  document.title = picked === null ? 'Naru' : `${picked} · Naru`
  group.show(groupName)
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

function refresh(): void {
  void topics.refresh()
  void groups.refresh()
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
  if (document.visibilityState === 'visible') refresh()
}, REFRESH_MS)
addEventListener('hashchange', show)
show()
refresh()
