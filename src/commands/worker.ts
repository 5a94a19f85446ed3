// `signet worker`: one of several processes that share the traffic. In: orders of the primary process, which started it.
// Out: an exit code. Signals that reach the whole group, from a terminal or a service manager, are for the primary alone.

import { messageOf } from '../errors.ts'
import { openLog } from '../log.ts'
import { PrimaryLink } from '../workers/primary-link.ts'
import type { Output } from './echo.ts'
import { startServing } from './serving.ts'

const EXIT_FAILURE = 1
const EXIT_USAGE = 2

/**
 * Proxies until the primary says to end, or is gone.
 *
 * @returns the exit code: 0 in the end, 1 when it cannot listen or something unforeseen happened
 */
export async function runWorker({ stderr }: { readonly stderr: Output }): Promise<number> {
  const link = PrimaryLink.open()
  if (link === undefined) {
    stderr.write('signet worker: signet itself starts workers, as many as SIGNET_WORKERS says\n')
    return EXIT_USAGE
  }
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => undefined)
  try {
    return await serve(link)
  } catch (error) {
    await link.send({ type: 'failed', reason: messageOf(error) })
    return EXIT_FAILURE
  } finally {
    link.close()
  }
}

async function serve(link: PrimaryLink): Promise<number> {
  const { number: worker, start } = await link.start()
  const { config, instance } = start
  // JSON also where the primary writes for people: it makes readable lines of these too.
  const log = openLog({ level: config.logLevel, pretty: false, fd: 1, worker })
  try {
    const siblings = { instance, ask: link.ask.bind(link) }
    const { proxy, listening, reload } = await startServing({ ...start, log, siblings })
    const ended = new Promise<number>((resolve) => {
      link.serve({
        end: () => void proxy.close().then(() => resolve(0)),
        report: (runtime) => proxy.report({ runtime }),
        reload: (next) => reload(next.config, next.gateway),
      })
      process.once('uncaughtException', ({ message: reason, stack }) => {
        process.once('uncaughtException', () => process.exit(EXIT_FAILURE))
        log.logger.error({ event: 'crash', reason, stack }, 'unforeseen error')
        void link.send({ type: 'leaving' })
        void proxy.close().then(() => resolve(EXIT_FAILURE))
      })
    })
    await link.send({ type: 'listening', listening })
    const code = await ended
    await link.send({ type: 'last', report: await proxy.report({ runtime: true }) })
    return code
  } finally {
    await log.close()
  }
}
