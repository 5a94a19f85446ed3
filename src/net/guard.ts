// The edge between Node's events and our code. In: the step that an event asks for. Out: nothing, ever: an error that
// nobody foresaw is reported, and ends the connection it happened on, and its exchange, instead of the process and
// everybody's.

import { asProxyError, type OnFault, type ProxyError } from '../errors.ts'

/** Something with a connection of its own to give up. */
export interface Guarded {
  /** Told of what nobody foresaw. */
  readonly onFault: OnFault
  /** Ends the exchange and the connection, and tells the client if it can. May throw as well. */
  onUnforeseen(error: ProxyError): void
  /** Closes the socket, and no more: the last resort. */
  giveUp(): void
}

/** Runs `step` for `owner`, who gives up what it has when the step throws. */
export function guard(owner: Guarded, step: () => void): void {
  try {
    step()
  } catch (thrown) {
    try {
      owner.onUnforeseen(asProxyError(thrown, owner.onFault))
    } catch (again) {
      owner.onFault(again)
      owner.giveUp()
    }
  }
}
