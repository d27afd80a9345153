// Mistakes that others have shipped, to be made on purpose. Only the simulator's tests set one: it must find each within
// a stated number of seeds, or its invariants prove nothing.

export type PlantedFault =
  /** Commit entries of earlier terms by counting copies (Raft §5.4.2, figure 8). */
  | 'count-old-terms'
  /** Let a new read ride on the answers to an old round. */
  | 'reuse-read-round'
  /** Hand out entries to apply before they are committed. */
  | 'apply-before-commit'
  /** Install a snapshot that is older than what is committed here. */
  | 'install-over-newer'
  /** Begin a membership change while another is not committed, or before an own entry is. */
  | 'two-changes'
  /** Grant every candidate of a term whose log is good enough. */
  | 'vote-twice'
  /** Vote without looking at the candidate's log. */
  | 'vote-blindly'
