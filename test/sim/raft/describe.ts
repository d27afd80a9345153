// A message as one line of a trace or transcript; entries are written index/term.

import { type Entry, lastIndexOf, type Message } from '../../../src/core/raft/index.ts'

export function describeMessage(message: Message): string {
  const head = `${message.to} ${message.kind} T${message.term}`
  switch (message.kind) {
    case 'pre-vote':
    case 'vote':
      return `${head} last ${message.lastIndex}/T${message.lastTerm}`
    case 'pre-vote-reply':
    case 'vote-reply':
      return `${head} ${message.granted ? 'granted' : 'refused'}`
    case 'append': {
      const { entries, prevIndex, prevTerm, commit } = message
      const carried = entries.map(describeEntry).join(' ')
      return `${head} prev ${prevIndex}/T${prevTerm} [${carried}] commit ${commit}`
    }
    case 'append-reply':
      return `${head} match ${message.matchIndex}`
    case 'append-refused':
      return `${head} prev ${message.prevIndex} hint ${message.hintIndex}/T${message.hintTerm}`
    case 'heartbeat':
      return `${head} commit ${message.commit} round ${message.round}`
    case 'heartbeat-reply':
      return `${head} round ${message.round}`
    case 'install':
      return `${head} snapshot ${message.head.index}/T${message.head.term}`
    case 'follow':
      return `${head} last ${message.lastIndex}${message.mending ? ' mending' : ''}`
    case 'leader-hint':
      return `${head} ${message.leader ?? 'unknown'}`
    case 'timeout-now':
    case 'newer-term':
      return head
  }
}

export function describeEntry(entry: Entry): string {
  const last = lastIndexOf(entry)
  const place = `${entry.index}${last === entry.index ? '' : `-${last}`}/T${entry.term}`
  switch (entry.body.kind) {
    case 'noop':
      return `${place} noop`
    case 'voters':
      return `${place} voters=${entry.body.voters.join(',')}`
    case 'records':
      return place
  }
}
