#!/usr/bin/env node
// The process: which command, its exit code, and nothing else. Each command is loaded only when it is asked for, so
// that the container's health check does not load the proxy.

import { readFileSync } from 'node:fs'

const COMMANDS = `Commands:
  signet [run] [flags]   the proxy (this is what runs without a command)
  signet call [URL]      post JSON through the proxy and verify the token that the upstream got
  signet echo            an upstream that answers with what it received
  signet health [URL]    exit code 0 when a running signet is well
  signet check FILE      say what a configuration file means, or what is wrong with it
  signet schema          print the JSON Schema of configuration files
  signet cert            make a self-signed certificate for development
  signet user add        add an account to a file of users
  signet secret inspect  say what a secret is under each reading, and nothing of it
  signet token           decode a token, or verify it
  signet --version       print the version
Each takes --help.
`

/** The version in package.json, beside the folder this file was built to. */
function version(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}

async function main(argv: readonly string[]): Promise<number> {
  const { env, stdout, stderr } = process
  const [command, ...rest] = argv
  switch (command) {
    case 'health': {
      const { runHealth } = await import('./commands/health.ts')
      return runHealth(rest, { env, stdout, stderr })
    }
    case 'call': {
      const { runCall } = await import('./commands/call.ts')
      const { verifierFrom } = await import('./commands/verifier.ts')
      return runCall(rest, { env, stdout, stderr, ...verifierFrom(env) })
    }
    case 'echo': {
      const { runEcho } = await import('./commands/echo.ts')
      const { verifierFrom } = await import('./commands/verifier.ts')
      return runEcho(rest, { stdout, stderr, ...verifierFrom(env) })
    }
    case 'check': {
      const { runCheck } = await import('./commands/check.ts')
      return runCheck(rest, { env, stdout, stderr })
    }
    case 'schema': {
      const { runSchema } = await import('./commands/schema.ts')
      return runSchema(rest, { stdout, stderr })
    }
    case 'cert': {
      const { runCert } = await import('./commands/cert.ts')
      return runCert(rest, { stdout, stderr })
    }
    case 'user': {
      const { runUser } = await import('./commands/user.ts')
      return runUser(rest, { stdin: process.stdin, stdout, stderr })
    }
    case 'secret': {
      const { runSecret } = await import('./commands/secret.ts')
      return runSecret(rest, { env, stdin: process.stdin, stdout, stderr })
    }
    case 'token': {
      const { runToken } = await import('./commands/token.ts')
      return runToken(rest, { env, stdin: process.stdin, stdout, stderr, now: Date.now })
    }
    case 'worker': {
      // Not among the commands above: the proxy itself starts it, where SIGNET_WORKERS asks for several.
      const { runWorker } = await import('./commands/worker.ts')
      return runWorker({ stderr })
    }
    default: {
      const { runProxy } = await import('./commands/run.ts')
      const flags = command === 'run' ? rest : argv
      return runProxy(flags, { env, stdout, stderr, version: version(), commands: COMMANDS })
    }
  }
}

// A terminal or pipe that is gone, or a disk that is full, must not end the traffic. Touching stdout here also makes a pipe
// non-blocking: a write that blocks in the thread pool would keep the process from ever ending.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined)

process.exitCode = await main(process.argv.slice(2))
