// Which socket is which member: one at a time. Whoever joins under a name that is taken takes it over, and what the earlier one
// does from then on, leaving included, is nothing to the group.

import type { Member } from './member.ts'

export class Members {
  readonly #byName = new Map<string, Member>()

  get count(): number {
    return this.#byName.size
  }

  /** Before it joins, so that one that goes meanwhile does not leave in its place. Returns the member that had the name. */
  add(member: Member): Member | null {
    const name = nameOf(member)
    const earlier = this.#byName.get(name) ?? null
    this.#byName.set(name, member)
    return earlier
  }

  /** It did not join. */
  giveBack(member: Member, earlier: Member | null): void {
    if (this.delete(member) && earlier?.isOpen === true) this.#byName.set(nameOf(earlier), earlier)
  }

  /** False: another has its name by now. */
  delete(member: Member): boolean {
    const name = nameOf(member)
    return this.#byName.get(name) === member && this.#byName.delete(name)
  }
}

function nameOf({ group, member }: Member): string {
  return `${group}/${member}`
}
