// Judges what a client gives as topic configuration: known keys, right types, within bounds, built already. Every fault is
// named by its JSON pointer, all of them at once. `null` takes a value back, where there is one to take back.

import { TOPIC_CONFIG_KEYS, TOPIC_SETTINGS, type TopicConfigKey, type TopicConfigPatch } from './topic-config.ts'

export interface InvalidField {
  pointer: string
  code: 'unknown' | 'type' | 'bounds'
  message: string
}

export interface CheckedPatch {
  /** What was given and is good. */
  patch: TopicConfigPatch
  /** Keys given as null. */
  cleared: readonly TopicConfigKey[]
  errors: readonly InvalidField[]
}

export function checkTopicConfig(
  given: Readonly<Record<string, unknown>>,
  at: string,
  mayClear: boolean,
): CheckedPatch {
  const patch: Partial<Record<TopicConfigKey, unknown>> = {}
  const cleared: TopicConfigKey[] = []
  const errors: InvalidField[] = []
  for (const [key, value] of Object.entries(given)) {
    const pointer = `${at}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`
    if (!isTopicConfigKey(key)) {
      errors.push({
        pointer,
        code: 'unknown',
        message: `is not a topic setting; there are: ${TOPIC_CONFIG_KEYS.join(', ')}`,
      })
    } else if (value === null && mayClear) {
      cleared.push(key)
    } else {
      const fault = faultOf(key, value)
      if (fault === null) patch[key] = value
      else errors.push({ pointer, ...fault })
    }
  }
  return { patch: patch as TopicConfigPatch, cleared, errors }
}

/** Type and key only: bounds may have changed since it was stored. */
export function isStoredTopicConfig(value: unknown): value is TopicConfigPatch {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  return Object.entries(value).every(([key, stored]: [string, unknown]) => {
    if (!isTopicConfigKey(key)) return false
    const setting = TOPIC_SETTINGS[key]
    return setting.kind === 'integer'
      ? Number.isSafeInteger(stored)
      : (setting.choices as readonly unknown[]).includes(stored)
  })
}

function isTopicConfigKey(key: string): key is TopicConfigKey {
  return Object.hasOwn(TOPIC_SETTINGS, key)
}

function faultOf(key: TopicConfigKey, value: unknown): Omit<InvalidField, 'pointer'> | null {
  const setting = TOPIC_SETTINGS[key]
  if (setting.kind === 'choice') {
    const choices: readonly unknown[] = setting.choices
    if (choices.includes(value)) return null
    const names = setting.choices.map((choice) => `"${choice}"`).join(', ')
    return { code: typeof value === 'string' ? 'bounds' : 'type', message: `must be one of ${names}` }
  }
  if (!Number.isSafeInteger(value)) return { code: 'type', message: `must be an integer (${setting.unit})` }
  const number = Number(value)
  if (setting.orNone && number === -1) return null
  if (number >= setting.min && number <= setting.max) return null
  const none = setting.orNone ? ', or -1 for none' : ''
  return { code: 'bounds', message: `must be between ${setting.min} and ${setting.max} ${setting.unit}${none}` }
}
