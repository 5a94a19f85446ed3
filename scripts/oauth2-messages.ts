// Every message of one call through examples/oauth2, as it goes over the wire. In: a run, in this process. Out: Markdown for the
// page of the example: `node build/scripts/oauth2-messages.js --write` puts it there. test/oauth2/messages.test.ts compares what
// is there with another run.

import { readFileSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { Chain } from '../test/oauth2/chain.ts'
import { Wire, within } from '../test/support/wire.ts'

/** From build/scripts/. */
const PAGE = fileURLToPath(new URL('../../examples/oauth2/README.md', import.meta.url))
const SECTION = /(?<=<!-- messages -->\n)[\s\S]*(?=<!-- \/messages -->)/

/** Ports that the page shows. */
const SHOWN = { 'authorization-server': 5001, 'resource-server': 5002, webapp: 5003, 'time-service': 5004 }
/** Who is called. */
export type Role = keyof typeof SHOWN

/** What one end of a connection sent at a time. */
interface Message {
  readonly role: Role
  readonly from: 'caller' | 'role'
  text: string
}

/** What each message is, in the order of the flow. */
const TITLES: readonly (readonly [role: Role, from: Message['from'], title: string])[] = [
  ['webapp', 'caller', 'The user asks the webapp.'],
  [
    'authorization-server',
    'caller',
    '1. The webapp asks for a code: for whom, for which endpoint, with a challenge.',
  ],
  [
    'authorization-server',
    'role',
    '2. It is granted, by a redirect that the webapp reads and nobody follows.',
  ],
  ['authorization-server', 'caller', '3. The webapp asks for a token, as itself, with the verifier.'],
  ['authorization-server', 'role', '4. The token.'],
  ['resource-server', 'caller', '5. The call goes on with it.'],
  ['authorization-server', 'caller', '6. The resource server asks whether it counts.'],
  ['authorization-server', 'role', '7. It does: for whom, for what, until when.'],
  ['time-service', 'caller', "8. The call goes on with signet's own proof in place of the token."],
  ['time-service', 'role', '9. The time.'],
  ['resource-server', 'role', 'The resource server passes it on.'],
  ['webapp', 'role', '10. The webapp does so too.'],
]

/** Ends of connections that have to be closed. */
class Taps {
  readonly messages: Message[] = []
  readonly #portOf: (role: Role) => number
  readonly #servers: Server[] = []
  readonly #sockets: Socket[] = []

  constructor(portOf: (role: Role) => number) {
    this.#portOf = portOf
  }

  /** Listens before a role, passes on what comes and keeps it. */
  async before(role: Role, port: number): Promise<number> {
    const server = createServer((caller) => {
      const behind = connect(port, '127.0.0.1')
      this.#sockets.push(caller, behind)
      for (const [from, to, who] of [
        [caller, behind, 'caller'],
        [behind, caller, 'role'],
      ] as const) {
        from.on('data', (octets) => {
          this.#keep(role, who, octets.toString('latin1'))
          to.write(octets)
        })
        from.on('close', () => to.destroy())
        from.on('error', () => to.destroy())
      }
    })
    this.#servers.push(server)
    await within(
      new Promise<void>((resolve) => server.listen(this.#portOf(role), '127.0.0.1', resolve)),
      'a tap',
    )
    return (server.address() as AddressInfo).port
  }

  close(): void {
    for (const server of this.#servers) server.close()
    for (const socket of this.#sockets) socket.destroy()
  }

  #keep(role: Role, from: Message['from'], text: string): void {
    const last = this.messages.at(-1)
    if (last?.role === role && last.from === from) last.text += text
    else this.messages.push({ role, from, text })
  }
}

/** One call, as Markdown. @param portOf where each role is called; 0 is any free port */
export async function recordMessages(portOf: (role: Role) => number): Promise<string> {
  const taps = new Taps(portOf)
  const chain = await Chain.start({ tap: (role, port) => taps.before(role, port) })
  try {
    const user = await Wire.connect(await taps.before('webapp', chain.webapp.port))
    user.send(
      `GET /current_time HTTP/1.1\r\nHost: localhost:5003\r\nUser-Agent: curl/8.14.1\r\nAccept: */*\r\n\r\n`,
    )
    await user.message(10_000)
    user.destroy()
    const { messages } = taps
    if (messages.length !== TITLES.length)
      throw new Error(`${messages.length} messages: ${JSON.stringify(messages)}`)
    return messages.map((message, at) => markdownOf(message, TITLES[at]!)).join('\n')
  } finally {
    taps.close()
    await chain.close()
  }
}

function markdownOf({ role, from, text }: Message, [of, by, title]: (typeof TITLES)[number]): string {
  if (role !== of || from !== by) throw new Error(`expected ${of} ${by}, found ${role} ${from}: ${text}`)
  const claims = [...text.matchAll(/eyJ[\w-]+\.[\w-]+\.[\w-]+/g)].map(([token]) => claimsOf(token))
  // That of the question about a token says nothing new.
  const told = from === 'caller' && role === 'authorization-server' ? [] : claims
  const decoded = told.map((one) => `The token says\n\n\`\`\`json\n${one}\n\`\`\`\n`)
  return [`${title}\n`, `\`\`\`http\n${text.replaceAll('\r\n', '\n').trimEnd()}\n\`\`\`\n`, ...decoded].join(
    '\n',
  )
}

/** Header and payload, a line each. */
function claimsOf(token: string): string {
  const parts = token.split('.').slice(0, 2)
  return parts.map((part) => Buffer.from(part, 'base64url').toString()).join('\n')
}

/** What is the same for each run: values of one run alone are replaced by what they are. */
export function shapeOf(markdown: string): string {
  return markdown
    .replace(/eyJ[\w-]+\.[\w-]+\.[\w-]+/g, '<jwt>')
    .replace(/(?<=127\.0\.0\.1(:|%3A))(?!5003)\d+/g, '<port>')
    .replace(/\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT/g, '<date>')
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '<time>')
    .replace(/"date":"[\d-]+"/g, '"date":"<day>"')
    .replace(/[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}/g, '<uuid>')
    .replace(/\b[\da-f]{32}-[\da-f]{16}\b/g, '<trace>')
    .replace(/\b[\da-f]{32}\b/g, '<trace>')
    .replace(/signet-[\da-f]{8}/g, 'signet-<instance>')
    .replace(/(?<=[="])[\w-]{43}(?![\w-])/g, '<random>')
    .replace(/"(iat|exp)":\d+/g, '"$1":<second>')
    .replace(/(?<=^Content-Length: )\d+$/gim, '<octets>')
}

/** The section of the page, and the page with another one. */
export function sectionOf(page: string): string {
  const [section] = SECTION.exec(page) ?? []
  if (section === undefined) throw new Error('the page has no section for messages')
  return section
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const section = `\n${await recordMessages((role) => SHOWN[role])}\n`
  if (process.argv.includes('--write')) {
    const page = readFileSync(PAGE, 'utf8')
    sectionOf(page)
    writeFileSync(
      PAGE,
      page.replace(SECTION, () => section),
    )
  } else process.stdout.write(section)
}
