// The load test of the compose file. In: LOAD_URL, where a signet before an echo answers, LOAD_SECONDS and
// LOAD_CONNECTIONS. Out: autocannon's table, and exit code 0 only when every request was answered with a 2xx.

import autocannon from 'autocannon'

const {
  LOAD_URL: url = 'http://127.0.0.1:8080/protected',
  LOAD_SECONDS = '10',
  LOAD_CONNECTIONS = '50',
} = process.env
const request = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"hello":"world"}' }

/** One request by hand: load on a proxy whose tokens do not verify would prove nothing. */
async function problemWithToken() {
  const response = await fetch(url, { ...request, signal: AbortSignal.timeout(10_000) })
  const text = await response.text()
  if (response.status !== 200) return `${url} answered ${response.status}: ${text}`
  const { token } = JSON.parse(text)
  if (!token?.verified) return `the upstream did not get a genuine token: ${token?.reason ?? text}`
  console.log(`${url} reaches the upstream with a token that verifies:\n${JSON.stringify(token.claims)}\n`)
  return undefined
}

/** What a run did not do well, or nothing. */
function problemWithRun({ requests, errors, timeouts, non2xx }) {
  if (requests.total === 0) return 'no request was answered'
  if (errors + timeouts + non2xx === 0) return undefined
  return `${errors} errors, of which ${timeouts} timeouts, and ${non2xx} responses that were not 2xx`
}

async function main() {
  const problem = await problemWithToken()
  if (problem !== undefined) return problem
  console.log(`${LOAD_CONNECTIONS} connections post for ${LOAD_SECONDS} s …`)
  const result = await autocannon({
    url,
    ...request,
    connections: Number(LOAD_CONNECTIONS),
    duration: Number(LOAD_SECONDS),
  })
  console.log(autocannon.printResult(result, { renderStatusCodes: true }))
  return problemWithRun(result)
}

const problem = await main().catch((error) => error.stack)
console.log(problem === undefined ? 'load test passed' : `load test failed: ${problem}`)
process.exitCode = problem === undefined ? 0 : 1
