// Why bytes cannot be used as a batch, as numbers and a sentence for whoever has to mend it.

export interface BatchFault {
  /**
   * cut: it does not end within the bytes given. magic: not a batch at all. stamp, body: the bytes changed since their
   * checksum was made. version: a newer version wrote it, never damage. structure: it contradicts itself or a limit.
   */
  readonly kind: 'cut' | 'magic' | 'version' | 'stamp' | 'body' | 'structure'
  readonly detail: string
}

export const structureFault = (detail: string): BatchFault => ({ kind: 'structure', detail })
export const versionFault = (detail: string): BatchFault => ({ kind: 'version', detail })
