// What somebody probably meant: the known word with the fewest edits to the one given, if it is near enough to suggest.

const EDITS_MAX = 2
const WORD_CHARS_MAX = 32

export function nearestName(given: string, known: readonly string[]): string | null {
  const plain = given.replaceAll(/[_-]/g, '').toLowerCase()
  if (plain.length > WORD_CHARS_MAX) return null
  let nearest: string | null = null
  let nearestEdits = EDITS_MAX + 1
  for (const word of known) {
    const edits = editDistance(plain, word.toLowerCase())
    if (edits < nearestEdits && edits < word.length - 1) {
      nearest = word
      nearestEdits = edits
    }
  }
  return nearest
}

/** Insertions, deletions and replacements between two short words. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1))
    }
    row = next
  }
  return row[b.length]!
}
