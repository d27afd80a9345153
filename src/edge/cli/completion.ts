// naru completion SHELL: a script for the shell's own completion, made from the commands and options there are.

import type { Command, Option } from 'commander'
import { CommandFailed, print } from './output.ts'

export function addCompletionCommand(program: Command): void {
  program
    .command('completion <shell>')
    .description('print a completion script for bash, zsh or fish')
    .addHelpText('after', '\nExample:\n  naru completion bash > /etc/bash_completion.d/naru')
    .action(async (shell: string) => {
      const words = wordsOf(program)
      if (shell === 'bash') await print(bash(words))
      else if (shell === 'zsh') await print(`autoload -U +X bashcompinit && bashcompinit\n${bash(words)}`)
      else if (shell === 'fish') await print(fish(words))
      else throw new CommandFailed('the shells are bash, zsh and fish')
    })
}

/** By command path (`topic create`), what may follow it. */
function wordsOf(program: Command): Map<string, string[]> {
  const words = new Map<string, string[]>()
  const visit = (command: Command, path: string): void => {
    const subs = command.commands.map((sub) => sub.name())
    const options = command.options
      .filter((option: Option) => !option.hidden)
      .map((option: Option) => option.long ?? '')
    words.set(path, [...subs, ...options.filter((option) => option !== ''), '--help'])
    for (const sub of command.commands) visit(sub, `${path} ${sub.name()}`.trim())
  }
  visit(program, '')
  return words
}

function bash(words: ReadonlyMap<string, string[]>): string {
  const cases = [...words].map(
    ([path, next]) => `    ${JSON.stringify(path)}) COMPREPLY=($(compgen -W "${next.join(' ')}" -- "$cur")) ;;`,
  )
  return `_naru() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" path="" word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$word" in -*) ;; *) case "$path" in topic|group|"") path="\${path:+$path }$word" ;; esac ;; esac
  done
  case "$path" in
${cases.join('\n')}
    *) COMPREPLY=() ;;
  esac
}
complete -o default -F _naru naru
`
}

function fish(words: ReadonlyMap<string, string[]>): string {
  let script = 'complete -c naru -f\n'
  for (const [path, next] of words) {
    const condition = path === '' ? '__fish_use_subcommand' : `__fish_seen_subcommand_from ${path.split(' ').at(-1)}`
    for (const word of next) {
      const what = word.startsWith('--') ? `-l ${word.slice(2)}` : `-a ${word}`
      script += `complete -c naru -n '${condition}' ${what}\n`
    }
  }
  // of a file, unlike of a topic, the shell knows the names
  return `${script}complete -c naru -n '__fish_seen_subcommand_from dump' -F\n`
}
