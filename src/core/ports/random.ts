export interface Random {
  /** An integer in [0, 2^32). */
  u32(): number
  /** Fills `into` with unpredictable bytes (ids, secrets). */
  fill(into: Uint8Array): void
}
