// Identities. A branded string cannot be mistaken for another; offsets, epochs and counters are plain numbers below 2^53.

declare const brand: unique symbol

/** 20 characters of [a-z2-7] (100 random bits), chosen once by the controller; also the folder name. */
export type TopicId = string & { readonly [brand]: 'TopicId' }

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567'
const TOPIC_ID = /^[a-z2-7]{20}$/

export function topicIdOf(random: Uint8Array): TopicId {
  let id = ''
  for (let i = 0; i < 20; i++) id += ALPHABET[random[i]! & 31]
  return id as TopicId
}

export function isTopicId(text: string): text is TopicId {
  return TOPIC_ID.test(text)
}

const NAME = /^[A-Za-z0-9._-]{1,249}$/

/** The rule for names of topics, groups and members. */
export function isName(text: string): boolean {
  return NAME.test(text) && text !== '.' && text !== '..'
}

export function isInternalName(text: string): boolean {
  return text.startsWith('__')
}
