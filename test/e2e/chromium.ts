// A real browser, as a machine has it: found, never fetched. scripts/test installs Debian's where it may.

import { type Browser, chromium } from 'playwright-core'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome']

/** In a user folder of its own, which goes with it. */
export async function startChromium(): Promise<Browser> {
  const executablePath = process.env['CHROMIUM'] ?? NAMES.map((name) => Bun.which(name)).find((path) => path !== null)
  if (executablePath === undefined) {
    throw new Error(
      `no browser here (${NAMES.join(', ')}): install one (Debian: apt-get install chromium), or name it in CHROMIUM`,
    )
  }
  return chromium.launch({
    executablePath,
    headless: true,
    args: [
      ...['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-dev-shm-usage'],
      ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
    ],
  })
}
