// One group: how far behind it is, who has what, partition by partition. Asked for anew while it is looked at.

import { groupNamed, type GroupState, Refused, type TopicPartitions } from './broker.ts'
import { byId, element } from './elements.ts'

const EVERY_MS = 2_000

export class GroupPanel {
  readonly #summary = byId('group-summary', HTMLParagraphElement)
  readonly #note = byId('group-note', HTMLParagraphElement)
  readonly #partitions = byId('group-partitions', HTMLTableSectionElement)
  readonly #members = byId('group-members', HTMLTableSectionElement)
  #group: string | null = null
  #timer = 0

  /** Null: none is looked at. */
  show(group: string | null): void {
    this.#group = group
    clearTimeout(this.#timer)
    if (group === null) return
    byId('group-name', HTMLHeadingElement).textContent = group
    this.#draw(null)
    void this.#refresh(group)
  }

  async #refresh(group: string): Promise<void> {
    let problem = ''
    let state: GroupState | null = null
    if (document.visibilityState === 'visible') {
      try {
        state = await groupNamed(group)
      } catch (error) {
        problem = error instanceof Refused ? error.message : 'The broker does not answer.'
      }
    }
    if (group !== this.#group) return
    this.#note.textContent = problem
    if (state !== null) this.#draw(state)
    clearTimeout(this.#timer)
    this.#timer = window.setTimeout(() => void this.#refresh(group), EVERY_MS)
  }

  #draw(state: GroupState | null): void {
    this.#summary.textContent = state === null ? '' : summaryOf(state)
    this.#partitions.replaceChildren(...(state?.partitions ?? []).map(partitionRow))
    this.#members.replaceChildren(...(state?.members ?? []).map(memberRow))
  }
}

function summaryOf({ state, delivery, assignor, tags, members, partitions }: GroupState): string {
  let lag = 0
  let neverCount = 0
  for (const partition of partitions) {
    lag += partition.lag ?? 0
    if (partition.lag === null) neverCount++
  }
  const never = neverCount === 0 ? '' : ` where it committed, never in ${neverCount}`
  const behind = `${lag.toLocaleString()} ${lag === 1 ? 'record' : 'records'} behind${never}`
  const count = members.length === 1 ? '1 member' : `${members.length} members`
  const filter = tags.length === 0 ? '' : `, only with a tag of ${tags.join(', ')}`
  return `${state}, ${count}, ${behind}; ${delivery}, ${assignor}${filter}`
}

function partitionRow(place: GroupState['partitions'][number]): HTMLTableRowElement {
  const { topic, partition, member, nextOffset, highWatermark, lag } = place
  return element(
    'tr',
    {},
    element('th', { scope: 'row' }, `${topic} ${partition}`),
    element('td', { className: 'words' }, member ?? 'nobody'),
    element('td', {}, nextOffset?.toLocaleString() ?? 'never'),
    element('td', {}, highWatermark.toLocaleString()),
    element('td', {}, lag?.toLocaleString() ?? ''),
  )
}

function memberRow({
  member,
  state,
  generation,
  assignment,
  revoke,
}: GroupState['members'][number]): HTMLTableRowElement {
  const held = assignment.length === 0 ? 'none' : placesOf(assignment)
  return element(
    'tr',
    {},
    element('th', { scope: 'row' }, member),
    element('td', { className: 'words' }, state),
    element('td', { className: 'words' }, revoke.length === 0 ? held : `${held}; lets go of ${placesOf(revoke)}`),
    element('td', {}, String(generation)),
  )
}

function placesOf(topics: readonly TopicPartitions[]): string {
  return topics.map(({ topic, partitions }) => `${topic} ${partitions.join(' ')}`).join(', ')
}
