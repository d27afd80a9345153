import { describe, expect, test } from 'bun:test'
import { type Config, flagOf, resolveConfig, SETTINGS, variableOf } from '../../src/edge/config.ts'

function resolved(
  flags: Record<string, unknown> = {},
  environment: Record<string, string> = {},
  file: Record<string, unknown> = {},
): Config {
  const result = resolveConfig(flags, environment, file)
  if (result.kind === 'invalid') throw new Error(result.problems.join('\n'))
  return result.config
}

function problemsOf(flags: Record<string, unknown>, environment = {}, file = {}): string[] {
  const result = resolveConfig(flags, environment, file)
  return result.kind === 'invalid' ? result.problems : []
}

test('to join takes the secret of the cluster', () => {
  const problem = '--join needs --cluster-secret-file: the secret of the cluster'
  expect(problemsOf({ join: 'a:7070' }, {}, {})).toEqual([problem])
  expect(resolved({ join: 'a:7070,b:7070', clusterSecretFile: 's' }, {}, {}).join).toEqual(['a:7070', 'b:7070'])
  expect(problemsOf({ advertise: 'broker-1' }, {}, {})).toHaveLength(1)
  expect(problemsOf({ nodeId: '-1' }, {}, {})).toHaveLength(1)
})

describe('where a value comes from', () => {
  test('flag, else environment, else file, else default', () => {
    const file = { port: 1, host: 'file', drainMs: 1 }
    const environment = { NARU_PORT: '2', NARU_HOST: 'environment' }
    expect(resolved({ port: '3' }, environment, file)).toMatchObject({
      port: 3,
      host: 'environment',
      drainMs: 1,
      http2: true,
    })
  })

  test('names of flags and variables', () => {
    expect(flagOf('autoCreateTopics')).toBe('--auto-create-topics')
    expect(variableOf('http2')).toBe('NARU_HTTP2')
    expect(variableOf('requestBytesMax')).toBe('NARU_REQUEST_BYTES_MAX')
  })

  test('the result cannot be changed', () => {
    expect(Object.isFrozen(resolved())).toBe(true)
  })
})

describe('what is refused, all at once and by the name it was given under', () => {
  test('values out of bounds or of the wrong kind', () => {
    const problems = problemsOf({ port: '65536', http2: 'maybe' }, { NARU_DRAIN_MS: 'soon' }, { uploadIdleMs: 1 })
    expect(problems).toEqual([
      expect.stringContaining('--port'),
      expect.stringContaining('--http2'),
      expect.stringContaining('"uploadIdleMs" of the config file'),
      expect.stringContaining('NARU_DRAIN_MS'),
    ])
  })

  test.each(['', ' ', '0x10', '1e3', '-1', '1.5', 'x', true, null])('%j is no port', (port) => {
    expect(problemsOf({}, {}, { port })).toEqual([expect.stringContaining('port')])
  })

  test('settings of the file that do not exist', () => {
    expect(problemsOf({}, {}, { prot: 1 })).toEqual([expect.stringContaining('"prot"')])
  })

  test('a certificate without its key', () => {
    expect(problemsOf({ tlsCert: 'a.pem' })).toEqual([expect.stringContaining('--tls-key')])
  })
})

test('every default is within its own bounds, and every setting says what it is for', () => {
  for (const [name, setting] of Object.entries(SETTINGS)) {
    expect(setting.schema.safeParse(setting.default).success, name).toBe(true)
    expect(setting.about.length, name).toBeGreaterThan(10)
  }
})
