// A signal for one request: aborted when it takes too long, or when its owner stops.

export async function withinMs<Answer>(
  ms: number,
  stopping: AbortSignal,
  run: (signal: AbortSignal) => Promise<Answer>,
): Promise<Answer> {
  const controller = new AbortController()
  const stop = (): void => controller.abort(stopping.reason)
  const timer = setTimeout(() => controller.abort(new Error(`no answer within ${ms} ms`)), ms)
  stopping.addEventListener('abort', stop)
  if (stopping.aborted) stop()
  try {
    return await run(controller.signal)
  } finally {
    clearTimeout(timer)
    stopping.removeEventListener('abort', stop)
  }
}
