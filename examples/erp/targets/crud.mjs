// A target of the example: one collection for each shop, kept in memory, behind a key. In: what the collection is called, the key,
// what it begins with. Out: an HTTP server.
//
//   GET, POST               /shops/:shop/:collection
//   GET, PUT, DELETE        /shops/:shop/:collection/:id
//   GET                     /health       for whoever looks after it; it wants no key
//
// HEAD is answered as GET, without the body. It trusts whoever has the key: who may see which shop is for the proxy before it to say.

import { createHash, timingSafeEqual } from 'node:crypto'
import { createServer } from 'node:http'

/** Octets of a request body. */
const MOST_OCTETS = 64 * 1024
/** Items of all shops together. */
const MOST_ITEMS = 10_000

/** A refusal: what `answer` makes a response from. */
class Refusal extends Error {
  constructor(status, message, fields = {}) {
    super(message)
    this.status = status
    this.fields = fields
  }
}

/**
 * Makes a target; it does not listen yet.
 *
 * @param {string} collection last word of its path
 * @param {string} apiKey what X-API-Key has to be
 * @param {Record<string, object[]>} initial items by shop
 */
export function createTarget(collection, apiKey, initial) {
  const shops = new Map()
  let items = 0
  let lastId = 0

  /** The items of a shop, by id. */
  function shopOf(name) {
    if (!shops.has(name)) shops.set(name, new Map())
    return shops.get(name)
  }

  function add(shop, item) {
    if (items >= MOST_ITEMS) throw new Refusal(507, 'no more fits into memory')
    const created = { id: String(++lastId), ...item }
    shopOf(shop).set(created.id, created)
    items++
    return created
  }

  function found(shop, id) {
    const item = shops.get(shop)?.get(id)
    if (item === undefined) throw new Refusal(404, `no such item: ${id}`)
    return item
  }

  const ofCollection = {
    GET: async (shop) => [200, [...(shops.get(shop)?.values() ?? [])]],
    POST: async (shop, _, request) => {
      const item = add(shop, await readItem(request))
      return [201, item, { Location: `/shops/${shop}/${collection}/${item.id}` }]
    },
  }
  const ofItem = {
    GET: async (shop, id) => [200, found(shop, id)],
    PUT: async (shop, id, request) => {
      const item = { ...(await readItem(request)), id: found(shop, id).id }
      shopOf(shop).set(id, item)
      return [200, item]
    },
    DELETE: async (shop, id) => {
      found(shop, id)
      shopOf(shop).delete(id)
      items--
      return [204]
    },
  }

  const path = new RegExp(`^/shops/([A-Za-z0-9]+)/${collection}(?:/([0-9]+))?$`)

  async function answer(request) {
    if (request.url === '/health') return [200, { healthy: true }]
    if (!isKey(request.headers['x-api-key'], apiKey)) {
      throw new Refusal(401, 'X-API-Key is missing or wrong', {
        'WWW-Authenticate': 'ApiKey field="X-API-Key"',
      })
    }
    const [, shop, id] = path.exec(request.url.split('?', 1)[0]) ?? []
    if (shop === undefined) throw new Refusal(404, 'nothing is served here')
    const methods = id === undefined ? ofCollection : ofItem
    const method = request.method === 'HEAD' ? 'GET' : request.method // node:http leaves out the body
    if (!Object.hasOwn(methods, method)) {
      throw new Refusal(405, 'no such method here', { Allow: Object.keys(methods).join(', ') })
    }
    return methods[method](shop, id, request)
  }

  for (const [shop, list] of Object.entries(initial)) for (const item of list) add(shop, item)
  return createServer(async (request, response) => {
    try {
      send(response, ...(await answer(request)))
    } catch (thrown) {
      const { status, message, fields } = thrown instanceof Refusal ? thrown : new Refusal(500, 'it failed')
      send(response, status, { error: message }, fields)
    }
  })
}

/** A JSON object from a request body. */
async function readItem(request) {
  const pieces = []
  let size = 0
  for await (const piece of request) {
    size += piece.length
    if (size > MOST_OCTETS) throw new Refusal(413, `more than ${MOST_OCTETS} octets`, { Connection: 'close' })
    pieces.push(piece)
  }
  let item
  try {
    item = JSON.parse(Buffer.concat(pieces).toString('utf8'))
  } catch {
    throw new Refusal(400, 'the body is no JSON')
  }
  if (typeof item !== 'object' || item === null || Array.isArray(item)) {
    throw new Refusal(400, 'the body is no JSON object')
  }
  const { id: _, ...rest } = item // ids are given here
  return rest
}

function send(response, status, body, fields = {}) {
  if (response.destroyed) return
  const text = body === undefined ? '' : `${JSON.stringify(body)}\n`
  const about =
    body === undefined
      ? {}
      : { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) }
  response.writeHead(status, { ...about, ...fields }).end(text)
}

/** Whether a key is the right one, in a time that says nothing of how much of it is. */
function isKey(given, expected) {
  const digest = (text) => createHash('sha256').update(text).digest()
  return typeof given === 'string' && timingSafeEqual(digest(given), digest(expected))
}

/**
 * Serves a target until SIGTERM or SIGINT. HOST and PORT say where, and a variable what its key is.
 *
 * @param {number} defaultPort where PORT is not set; 0 takes any free one
 */
export function serveTarget(collection, keyVariable, initial, defaultPort) {
  const apiKey = process.env[keyVariable]
  if (!apiKey) {
    process.stderr.write(`${collection}: ${keyVariable} is not set\n`)
    process.exitCode = 78
    return
  }
  const server = createTarget(collection, apiKey, initial)
  const { HOST: host = '127.0.0.1', PORT: port = String(defaultPort) } = process.env
  server.once('error', ({ code, message }) => {
    const taken = code === 'EADDRINUSE' ? `port ${port} is taken; PORT names another, or 0 for any` : message
    process.stderr.write(`${collection}: ${taken}\n`)
    process.exitCode = 1
  })
  server.listen(Number(port), host, () => {
    process.stdout.write(`${collection} listens on http://${host}:${server.address().port}\n`)
  })
  for (const signal of ['SIGTERM', 'SIGINT']) {
    process.once(signal, () => {
      server.close()
      server.closeAllConnections()
    })
  }
}
