// Every setting of the broker, once: flag, environment variable, unit, default, bounds, reason. A value comes from the flag,
// else the environment, else the file named by --config (JSON, the settings' names as keys), else the default. The result is
// frozen; nothing else reads the environment. Settings of topics are core/cluster's table; here are only their defaults.

import { z } from 'zod'

/** From digits only: `Number` would take an empty word for zero. */
const whole = (min: number, max: number) =>
  z
    .union(
      [
        z.number(),
        z
          .string()
          .regex(/^\d{1,15}$/)
          .transform(Number),
      ],
      { error: 'expected a whole number' },
    )
    .pipe(z.number().int().min(min).max(max))
const port = whole(0, 65_535)
const flag = z
  .union([z.boolean(), z.enum(['true', 'false', ''])])
  .transform((value) => value === true || value === 'true' || value === '')
const list = z.union([
  z.array(z.string()),
  z.string().transform((text) => text.split(',').filter((part) => part !== '')),
])

const MIB = 1024 * 1024

interface Setting {
  schema: z.ZodType
  /** As the flag's argument is named in help; absent for a switch. */
  argument?: string
  default: unknown
  about: string
}

/** By name in camel case: `dataFolder` is flag `--data-folder` and `NARU_DATA_FOLDER`, unless `flag` says otherwise. */
export const SETTINGS = {
  data: { schema: z.string().min(1), argument: 'folder', default: './data', about: 'where everything is kept' },
  host: {
    schema: z.string().min(1),
    argument: 'address',
    default: '127.0.0.1',
    about:
      'address to listen on; there is no authentication yet, so other machines are let in only when you say 0.0.0.0',
  },
  port: { schema: port, argument: 'number', default: 7070, about: 'port to listen on; 0 takes a free one' },
  http2: {
    schema: flag,
    argument: 'true|false',
    default: true,
    about: 'serve HTTP/2 beside HTTP/1.1 on the same port',
  },
  tlsCert: { schema: z.string(), argument: 'file', default: '', about: 'certificate chain (PEM); with --tls-key' },
  tlsKey: { schema: z.string(), argument: 'file', default: '', about: 'private key (PEM)' },
  join: {
    schema: list,
    argument: 'host:port,…',
    default: [],
    about: 'brokers of the cluster to join; with it this broker never forms one of its own',
  },
  nodeId: {
    schema: whole(0, 1_000_000),
    argument: 'number',
    default: 0,
    about: 'number of this broker, of its own in the cluster; 0 takes that of the data folder, or 1 in an empty one',
  },
  clusterSecretFile: {
    schema: z.string(),
    argument: 'file',
    default: '',
    about: 'a secret of 16 characters or more that all brokers of the cluster share; without it no other broker joins',
  },
  advertise: {
    schema: z.union([z.literal(''), z.url({ protocol: /^https?$/, error: 'expected a URL, http://… or https://…' })]),
    argument: 'url',
    default: '',
    about: 'where other brokers and clients reach this one; by default the address it listens on',
  },
  rack: {
    schema: z.string().max(64),
    argument: 'name',
    default: '',
    about: 'where it stands: replicas of a partition are spread over racks',
  },
  metadataSnapshotBytes: {
    schema: whole(16 * 1024, 1024 * MIB),
    argument: 'bytes',
    default: 16 * MIB,
    about: 'growth of the metadata log after which it is summed up; who is further behind is sent the sum',
  },
  allowOrigins: {
    schema: list,
    argument: 'origins',
    default: [],
    about: 'origins of web pages that may write, separated by commas, or *; the own origin always may',
  },
  autoCreateTopics: {
    schema: flag,
    argument: 'true|false',
    default: true,
    about: 'a produce creates a topic that is not there',
  },
  topicDefaults: {
    schema: list,
    argument: 'key=value,…',
    default: [],
    about: 'settings of topics that do not set their own, and partitions=N for new ones',
  },
  requestBytesMax: {
    schema: whole(MIB, 1024 * MIB),
    argument: 'bytes',
    default: 16 * MIB,
    about: 'largest buffered request body; streamed uploads have no bound',
  },
  uploadIdleMs: {
    schema: whole(100, 3_600_000),
    argument: 'ms',
    default: 60_000,
    about: 'how long a streamed upload may stay quiet',
  },
  bodyMs: {
    schema: whole(100, 3_600_000),
    argument: 'ms',
    default: 30_000,
    about: 'how long a buffered body may take, beside a second for each 64 KiB of it',
  },
  pushConnectionsMax: {
    schema: whole(1, 1_000_000),
    argument: 'number',
    default: 20_000,
    about: 'WebSockets and event streams open at once',
  },
  slowMs: {
    schema: whole(100, 3_600_000),
    argument: 'ms',
    default: 30_000,
    about: 'how long a WebSocket or event stream may take nothing of what it was sent',
  },
  drainMs: {
    schema: whole(0, 600_000),
    argument: 'ms',
    default: 10_000,
    about: 'how long requests under way may take after SIGTERM',
  },
  logFormat: {
    schema: z.enum(['auto', 'text', 'json']),
    argument: 'auto|text|json',
    default: 'auto',
    about: 'event lines on standard error: text on a terminal, else JSON',
  },
} as const satisfies Record<string, Setting>

export type SettingName = keyof typeof SETTINGS
export type Config = Readonly<{ [Name in SettingName]: z.output<(typeof SETTINGS)[Name]['schema']> }>

export type ConfigResult = { kind: 'config'; config: Config } | { kind: 'invalid'; problems: string[] }

export const flagOf = (name: string): string => `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
export const variableOf = (name: string): string =>
  `NARU_${name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`

export function resolveConfig(
  flags: Readonly<Record<string, unknown>>,
  environment: Readonly<Record<string, string | undefined>>,
  file: Readonly<Record<string, unknown>>,
): ConfigResult {
  const problems: string[] = []
  const values: Record<string, unknown> = {}
  for (const name of Object.keys(file)) {
    if (!Object.hasOwn(SETTINGS, name)) problems.push(`the config file has a setting "${name}" that does not exist`)
  }
  for (const [name, setting] of Object.entries(SETTINGS)) {
    const [source, given] =
      flags[name] !== undefined
        ? [flagOf(name), flags[name]]
        : environment[variableOf(name)] !== undefined
          ? [variableOf(name), environment[variableOf(name)]]
          : file[name] !== undefined
            ? [`"${name}" of the config file`, file[name]]
            : ['', setting.default]
    const parsed = setting.schema.safeParse(given)
    if (parsed.success) values[name] = parsed.data
    else problems.push(`${source}: ${parsed.error.issues.map((issue) => issue.message).join('; ')}`)
  }
  if ((values['tlsCert'] === '') !== (values['tlsKey'] === '')) {
    problems.push('--tls-cert and --tls-key are given together or not at all')
  }
  if (Array.isArray(values['join']) && values['join'].length > 0 && values['clusterSecretFile'] === '') {
    problems.push('--join needs --cluster-secret-file: the secret of the cluster')
  }
  return problems.length > 0
    ? { kind: 'invalid', problems }
    : { kind: 'config', config: Object.freeze(values) as Config }
}
