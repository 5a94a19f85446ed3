import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Deadlines } from '../../src/net/deadlines.ts'
import { type RawPeer, type RawSink, Tunnel } from '../../src/net/tunnel.ts'
import { noFault } from '../support/faults.ts'

const test = suite('net/tunnel')

/** One side of a tunnel, which notes what is asked of it. */
class Side {
  readonly calls: string[] = []
  full = false
  proceed: () => void = () => this.calls.push('proceed')

  get peer(): RawPeer {
    const note = (name: string) => () => this.calls.push(name)
    const side = this
    const outlet = {
      octets: (octets: Buffer, start: number, end: number) =>
        side.calls.push(octets.toString('latin1', start, end)),
      flush: () => undefined,
      end: note('end'),
      reset: note('reset'),
      get full() {
        return side.full
      },
    }
    // As much of the outlet and the inlet as a tunnel uses.
    return {
      outlet,
      inlet: { pause: note('pause'), resume: note('resume') },
      proceed: () => this.proceed(),
    } as unknown as RawPeer
  }

  /** What was asked since this was last looked at. */
  get news(): string {
    return this.calls.splice(0).join(' ')
  }
}

function open() {
  const deadlines = new Deadlines(() => performance.now(), noFault)
  const closed: true[] = []
  const tunnel = new Tunnel(deadlines, 1000, noFault, () => closed.push(true))
  const client = new Side()
  const upstream = new Side()
  return { deadlines, closed, tunnel, client, upstream }
}

function joined() {
  const all = open()
  all.tunnel.join(all.client.peer, all.upstream.peer)
  assert.equal([all.client.news, all.upstream.news], ['proceed', 'proceed'])
  return all
}

function say(side: RawSink, text: string): void {
  side.onOctets(Buffer.from(`_${text}_`), 1, text.length + 1)
}

test('octets of each side go to the other, and are counted', () => {
  const { tunnel, client, upstream, closed, deadlines } = joined()
  say(tunnel.clientSide, 'ping')
  say(tunnel.upstreamSide, 'pong!')
  assert.equal([upstream.news, client.news], ['ping', 'pong!'])
  tunnel.onDeadline()
  tunnel.onDeadline()
  assert.is(closed.length, 1)
  assert.is(deadlines.size, 0)
})

test('what a side kept from before goes first', () => {
  const { tunnel, client, upstream } = open()
  client.proceed = () => say(tunnel.clientSide, 'early')
  tunnel.join(client.peer, upstream.peer)
  say(tunnel.clientSide, 'late')
  assert.is(upstream.news, 'proceed early late')
  tunnel.onDeadline()
})

for (const [name, other] of [
  ['client', 'upstream'],
  ['upstream', 'client'],
] as const) {
  const sink = (tunnel: Tunnel) => (name === 'client' ? tunnel.clientSide : tunnel.upstreamSide)
  const otherSink = (tunnel: Tunnel) => (name === 'client' ? tunnel.upstreamSide : tunnel.clientSide)

  test(`the ${name} is not read while the ${other} cannot take it, and is again when it can`, () => {
    const all = joined()
    all[other].full = true
    say(sink(all.tunnel), 'x')
    assert.is(all[name].news, 'pause')
    all[other].full = false
    otherSink(all.tunnel).onDrain()
    assert.is(all[name].news, 'resume')
    assert.is(all[other].news, 'x')
    all.tunnel.onDeadline()
  })

  test(`the end of the ${name} is passed on, and the ${other} goes on until its own`, () => {
    const all = joined()
    sink(all.tunnel).onEnd()
    assert.is(all[other].news, 'end')
    say(otherSink(all.tunnel), 'still')
    assert.is(all[name].news, 'still')
    otherSink(all.tunnel).onEnd()
    assert.is(all[name].news, 'end')
    assert.equal(all.closed, [], 'both may still be taking the last of it')
    sink(all.tunnel).onClosed()
    assert.equal([all.closed.length, all[other].news], [0, ''])
    otherSink(all.tunnel).onClosed()
    assert.is(all.closed.length, 1)
    assert.is(all.deadlines.size, 0)
  })

  test(`the ${other} is reset when the ${name} is gone before both have ended`, () => {
    const all = joined()
    sink(all.tunnel).onEnd()
    all[other].calls.splice(0)
    sink(all.tunnel).onClosed()
    assert.is(all[other].news, 'reset')
    assert.is(all.closed.length, 1)
    say(otherSink(all.tunnel), 'too late')
    assert.is(all[name].news, 'reset')
  })
}

test('a client whose early octets fill the upstream is not read before that takes them', () => {
  const { tunnel, client, upstream } = open()
  client.proceed = () => {
    say(tunnel.clientSide, 'early')
    upstream.full = true
    client.calls.push('resume') // as Downstream does behind what was kept
  }
  tunnel.join(client.peer, upstream.peer)
  assert.is(client.news, 'resume pause')
  tunnel.upstreamSide.onDrain()
  assert.is(client.news, 'resume')
  tunnel.onDeadline()
})

test('the deadline is put off by octets of either side, and resets both when it passes', () => {
  const { tunnel, client, upstream, closed } = joined()
  for (const side of [tunnel.clientSide, tunnel.upstreamSide]) {
    tunnel.deadline = 0
    say(side, 'x')
    assert.ok(tunnel.deadline > performance.now() + 900)
  }
  tunnel.onDeadline()
  assert.equal([upstream.news, client.news, closed.length], ['x reset', 'x reset', 1])
})

test.run()
