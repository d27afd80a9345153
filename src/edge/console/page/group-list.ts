// The groups of the broker, to be picked from; where there are none, nothing is said of them.

import { type GroupSummary, groups } from './broker.ts'
import { byId, element } from './elements.ts'

const HASH = '#/groups/'
const GROUP_HASH = /^#\/groups\/([A-Za-z0-9._-]{1,249})$/

export class GroupList {
  readonly #section = byId('groups-section', HTMLElement)
  readonly #list = byId('groups', HTMLUListElement)
  #groups: readonly GroupSummary[] = []

  constructor() {
    addEventListener('hashchange', () => this.#draw())
  }

  get picked(): string | null {
    return GROUP_HASH.exec(location.hash)?.[1] ?? null
  }

  /** Asks the broker. */
  async refresh(): Promise<void> {
    // What keeps it from being asked is told beside the topics.
    this.#groups = await groups().catch(() => this.#groups)
    this.#draw()
  }

  #draw(): void {
    const { picked } = this
    const drawn = JSON.stringify([this.#groups, picked])
    if (this.#list.dataset['drawn'] === drawn) return
    this.#list.dataset['drawn'] = drawn
    this.#section.hidden = this.#groups.length === 0
    this.#list.replaceChildren(...this.#groups.map((group) => lineOf(group, group.group === picked)))
  }
}

function lineOf({ group, state, members }: GroupSummary, isPicked: boolean): HTMLLIElement {
  const title = `${members === 1 ? '1 member' : `${members} members`}, ${state}`
  const link = element('a', { href: HASH + group }, group, element('small', { title }, String(members)))
  if (isPicked) link.setAttribute('aria-current', 'true')
  return element('li', {}, link)
}
