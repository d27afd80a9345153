// Scripted transcripts: commands and, below a line of dashes, what the replicas did. A case reads as a story; when code
// changes the story, the diff has to be understood before it is committed.
//
//   replicas 3 voters=1,2 quorum-ticks=20   the bench; replicas n+1… that are not voters start empty
//   elect 1 · pass 10 1 2        silently: 1 becomes leader; ten ticks of 1 and 2 (or of all) and what comes of them
//   campaign 1 · tick 1 10 · propose 1 text count=2 · read 1 · transfer 1 to=2 · add 1 3 · remove 1 2
//   process-ready 1              one `Ready`: printed, stored (unless held), applied; its messages go into inboxes
//   deliver-msgs 2 drop=1,3      steps the inbox of 2, but loses what came from 1 or 3
//   stabilize [1 2]              processes and delivers until nothing is left; only what those do
//   isolate 1 · heal · hold 2 · release 2 · finish-write 2 · finish-vote 2
//   compact 1 5 · restart 1 · status · log 1 · progress 1 · inbox 1
//   keep-inbox 1 · return-inbox 1   messages that come late

import { assert } from '../../../src/core/base/index.ts'
import { lastIndexOf, type Message, type RaftOptions, type Ready } from '../../../src/core/raft/index.ts'
import { describeEntry, describeMessage } from '../../sim/raft/describe.ts'
import { Bench, idOf } from './bench.ts'

const OPTIONS: Record<string, keyof RaftOptions> = {
  'quorum-ticks': 'quorumTicks',
  'election-ticks': 'electionTicks',
  'append-bytes': 'appendBytesMax',
  inflight: 'inflightMax',
  'snapshot-ticks': 'snapshotTicks',
  'observer-ticks': 'observerTicks',
}

/** The same text with every block's output as it is now. */
export function runTranscript(text: string): string {
  const script = new Script()
  const blocks: string[] = []
  for (const block of text.trimEnd().split(/\n\n+/)) {
    const [commands] = block.split('\n----')
    const lines = commands!.split('\n').filter((line) => !line.startsWith('#'))
    if (lines.length === 0) blocks.push(block)
    else blocks.push(`${commands}\n----\n${script.run(lines).join('\n')}`)
  }
  return `${blocks.join('\n\n')}\n`
}

class Script {
  #bench = new Bench(0)
  #out: string[] = []
  #kept: Message[] = []

  run(commands: readonly string[]): string[] {
    this.#out = []
    for (const command of commands) this.#do(command.trim().split(/\s+/))
    if (this.#out.length === 0) this.#say('ok')
    return this.#out.map((line) => line.replaceAll(/(\d+)\.a\b/g, '$1'))
  }

  #say(line: string): void {
    this.#out.push(line)
  }

  #do([verb, ...rest]: string[]): void {
    const bench = this.#bench
    const words = rest.filter((word) => !word.includes('='))
    const named = new Map(rest.filter((word) => word.includes('=')).map((word) => word.split('=') as [string, string]))
    const list = (name: string) => (named.get(name)?.split(',') ?? []).map(Number)
    const node = Number(words[0])
    const argument = Number(words[1])
    switch (verb) {
      case 'replicas':
        this.#bench = new Bench(node, {
          ...(named.has('voters') ? { voters: list('voters') } : {}),
          options: optionsOf(named),
        })
        return
      case 'elect':
        return bench.elect(node)
      case 'pass':
        return bench.pass(node, words.length > 1 ? words.slice(1).map(Number) : undefined)
      case 'campaign':
        return bench.raft(node).campaign()
      case 'tick':
        return bench.tick(node, argument || 1)
      case 'propose': {
        const bytes = new TextEncoder().encode(words[1])
        return this.#answer(bench.raft(node).propose(bytes, Number(named.get('count') ?? 1)))
      }
      case 'read':
        return this.#answer(bench.raft(node).readIndex())
      case 'transfer':
        return this.#answer(bench.raft(node).transfer(idOf(list('to')[0]!)))
      case 'add':
      case 'remove':
        return this.#answer(bench.raft(node).changeMembership({ kind: verb, replica: idOf(argument) }))
      case 'process-ready':
        return this.#process(node)
      case 'deliver-msgs':
        return this.#deliver(node, list('drop'))
      case 'stabilize':
        return this.#stabilize(words.length > 0 ? words.map(Number) : [...bench.replicas.keys()])
      case 'isolate':
        return bench.isolate(...words.map(Number))
      case 'heal':
        return bench.heal()
      case 'hold':
        bench.at(node).held = true
        return
      case 'release':
        bench.at(node).held = false
        return bench.at(node).finishStorage()
      case 'finish-write':
        return bench.at(node).finishWrite()
      case 'finish-vote':
        return bench.at(node).finishVote()
      case 'compact':
        return bench.at(node).compact(argument)
      case 'restart':
        bench.at(node).start()
        return
      case 'status':
        for (const [number, { raft }] of bench.replicas) {
          const { role, term, leader, commitIndex, lastIndex, voters } = raft
          this.#say(
            `${number}: ${role} T${term} leader ${leader ?? '-'} commit ${commitIndex} last ${lastIndex} voters ${voters.join(',')}`,
          )
        }
        return
      case 'log': {
        const { log } = bench.at(node)
        if (log.snapshot !== null) this.#say(`snapshot ${log.snapshot.head.index}/T${log.snapshot.head.term}`)
        this.#say(`[${log.entries(log.firstIndex, log.lastIndex, Infinity).map(describeEntry).join(' ')}]`)
        return
      }
      case 'progress':
        for (const number of bench.replicas.keys()) {
          const progress = bench.raft(node).progressOf(idOf(number))
          if (progress === null) continue
          const { state, match, next, inflight, paused } = progress
          this.#say(`${number}: ${state} match ${match} next ${next} inflight ${inflight}${paused ? ' paused' : ''}`)
        }
        return
      case 'keep-inbox':
        this.#kept = bench.at(node).inbox.splice(0)
        return
      case 'return-inbox':
        bench.at(node).inbox.push(...this.#kept)
        return
      case 'inbox':
        for (const message of bench.at(node).inbox) this.#say(`from ${message.from}: ${describeMessage(message)}`)
        return
      default:
        throw new Error(`unknown command ${verb}`)
    }
  }

  #answer(answer: { readonly kind: string }): void {
    const { kind, ...numbers } = answer
    const told = Object.entries(numbers).map(([name, value]) => ` ${name} ${String(value)}`)
    this.#say(`${kind}${told.join('')}`)
  }

  #process(node: number): void {
    const ready = this.#bench.process(node)
    if (ready === null) this.#say(`${node}: nothing to do`)
    else this.#tell(node, ready)
  }

  #stabilize(nodes: readonly number[]): void {
    for (let round = 0; round < 200; round++) {
      let busy = false
      for (const node of nodes)
        for (let ready = this.#bench.process(node); ready !== null; ready = this.#bench.process(node)) {
          busy = true
          this.#tell(node, ready)
        }
      for (const node of nodes) if (this.#bench.deliver(node) > 0) busy = true
      if (!busy) return
    }
    throw new Error('does not stabilize')
  }

  #deliver(node: number, dropped: readonly number[]): void {
    const { inbox } = this.#bench.at(node)
    const kept = inbox.filter((message) => {
      const lost = dropped.some((from) => idOf(from) === message.from)
      this.#say(`${lost ? 'dropped' : 'delivered'} ${describeMessage(message)}`)
      return !lost
    })
    inbox.splice(0, inbox.length, ...kept)
    this.#bench.deliver(node)
  }

  #tell(node: number, ready: Ready): void {
    const { standing, vote, writes, messages, restore, committed, reads, droppedReads } = ready
    const say = (line: string) => this.#say(`${node}: ${line}`)
    if (standing !== null) say(`is ${standing.role} T${standing.term} leader ${standing.leader ?? '-'}`)
    if (vote !== null) say(`saves T${vote.term} vote ${vote.votedFor ?? '-'}`)
    for (const write of writes)
      say(
        write.kind === 'append'
          ? `writes ${write.entries.map(describeEntry).join(' ')}`
          : `installs snapshot ${write.head.index}/T${write.head.term}`,
      )
    for (const message of messages) say(`→ ${describeMessage(message)}`)
    if (restore !== null) say(`restores ${restore.index}/T${restore.term}`)
    if (committed.length > 0) say(`applies ${committed[0]!.index}..${lastIndexOf(committed.at(-1)!)}`)
    if (reads.length > 0) say(`answers reads ${reads.join(' ')}`)
    if (droppedReads.length > 0) say(`drops reads ${droppedReads.join(' ')}`)
  }
}

function optionsOf(named: ReadonlyMap<string, string>): Partial<RaftOptions> {
  let options: Partial<RaftOptions> = {}
  for (const [name, value] of named) {
    if (name === 'voters') continue
    const option = OPTIONS[name]
    assert(option !== undefined, () => `unknown option ${name}`)
    options = { ...options, [option]: Number(value) }
  }
  return options
}
