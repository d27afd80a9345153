// The names of the topics that the broker makes for itself.

export const GROUPS_TOPIC = '__groups'
export type InternalTopic = typeof GROUPS_TOPIC

/** Sorted. */
export const INTERNAL_TOPICS: readonly InternalTopic[] = [GROUPS_TOPIC]
