// A small seeded generator of integers: a failing case is named by its seed.

export function seeded(seed: number): (below: number) => number {
  let state = seed | 0
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0
    return Math.floor(((state >>> 8) / 0x100_0000) * below)
  }
}
