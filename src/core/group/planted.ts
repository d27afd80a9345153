// Mistakes that others have shipped, to be made on purpose. Only the simulator's tests set one: it must find each within
// a stated number of seeds, or its invariants prove nothing.

export type PlantedFault =
  /** Take a commit from whoever was a member once, of whatever it held. */
  | 'commit-without-fencing'
  /** Give a partition to the next before the one that holds it has dropped it. */
  | 'assign-before-revoked'
  /** Let a refused commit of an old generation count as a sign of life. */
  | 'session-reset-by-stale-commit'
