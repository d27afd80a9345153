// Every refusal a client can meet, by code: its status, its title, whether trying again can help. Closed: clients switch on it.

interface CodeFacts {
  readonly status: number
  readonly title: string
  readonly retryable: boolean
}

export const problemCodes = {
  malformed: { status: 400, title: 'The request cannot be read', retryable: false },
  'unknown-parameter': { status: 400, title: 'Unknown query parameter', retryable: false },
  'forbidden-origin': { status: 403, title: 'This origin may not change anything', retryable: false },
  'internal-topic': { status: 403, title: 'Internal topics are not written by clients', retryable: false },
  'not-found': { status: 404, title: 'There is nothing at this address', retryable: false },
  'unknown-topic': { status: 404, title: 'No such topic', retryable: false },
  'unknown-partition': { status: 404, title: 'No such partition', retryable: false },
  'unknown-group': { status: 404, title: 'No such group', retryable: false },
  'unknown-broker': { status: 404, title: 'No such broker', retryable: false },
  'method-not-allowed': { status: 405, title: 'This address does not know the method', retryable: false },
  'not-acceptable': { status: 406, title: 'No representation that the client accepts', retryable: false },
  'upload-stalled': { status: 408, title: 'The body did not arrive in time', retryable: true },
  'voters-conflict': { status: 409, title: 'The voters cannot be changed so', retryable: true },
  'topic-exists': { status: 409, title: 'The topic exists and differs', retryable: false },
  'partition-retiring': { status: 409, title: 'The partition takes no new records', retryable: false },
  'last-partition': { status: 409, title: 'The topic would take no records any more', retryable: false },
  fenced: { status: 409, title: 'Whoever asks is not, or no longer, who may', retryable: false },
  'not-held': { status: 409, title: 'The member does not hold the partition', retryable: false },
  'no-position': { status: 409, title: 'Nothing says where the partition begins for the group', retryable: false },
  'group-differs': { status: 409, title: 'The group exists and differs', retryable: false },
  'group-not-empty': { status: 409, title: 'The group has members', retryable: false },
  'not-leader-member': { status: 409, title: 'Another member makes the plan', retryable: false },
  'stale-plan': { status: 409, title: 'The plan is of another epoch', retryable: false },
  gap: { status: 409, title: 'A sequence before this one is missing', retryable: true },
  'unknown-producer': { status: 409, title: 'The producer is not known here', retryable: false },
  'below-log-start': { status: 410, title: 'The records at this place are gone', retryable: false },
  'topic-recreated': { status: 410, title: 'The cursor is of a topic that was deleted', retryable: false },
  diverged: { status: 410, title: 'The log took another course since this cursor', retryable: false },
  'offset-mismatch': { status: 412, title: 'The next offset is another', retryable: false },
  'body-too-large': { status: 413, title: 'The body is too large', retryable: false },
  'record-too-large': { status: 413, title: 'A record is too large', retryable: false },
  'unsupported-media-type': { status: 415, title: 'This type of body is not taken here', retryable: false },
  'beyond-end': { status: 416, title: 'The offset is beyond the end', retryable: false },
  invalid: { status: 422, title: 'The request is readable but not valid', retryable: false },
  unsupported: { status: 422, title: 'Not supported yet', retryable: false },
  'foreign-topic': { status: 422, title: 'The topic is none of the group', retryable: false },
  'invalid-plan': { status: 422, title: 'The plan is not one for this group', retryable: false },
  'key-required': { status: 422, title: 'A record of a compacted topic has no key', retryable: false },
  'bad-batch': { status: 422, title: 'A stored batch is not valid', retryable: false },
  'key-conflict': { status: 422, title: 'The Idempotency-Key was used for another body', retryable: false },
  'limit-reached': { status: 422, title: 'A limit of the broker is reached', retryable: false },
  damaged: { status: 500, title: 'Stored bytes are damaged', retryable: false },
  internal: { status: 500, title: 'The broker failed', retryable: true },
  busy: { status: 503, title: 'As much is under way as the broker takes', retryable: true },
  'not-enough-replicas': { status: 503, title: 'Fewer replicas are in sync than the topic demands', retryable: true },
  'not-leader': { status: 503, title: 'Another broker leads it', retryable: true },
  'no-leader': { status: 503, title: 'No broker is there to lead it', retryable: true },
  'disk-low': { status: 503, title: 'The disk is nearly full', retryable: true },
  loading: { status: 503, title: 'The state is being loaded', retryable: true },
  'shutting-down': { status: 503, title: 'The broker is shutting down', retryable: true },
  'outcome-unknown': { status: 504, title: 'Not known in time whether it was done', retryable: true },
} as const satisfies Record<string, CodeFacts>

export type ProblemCode = keyof typeof problemCodes

export const allProblemCodes = Object.keys(problemCodes) as [ProblemCode, ...ProblemCode[]]
