// For parts under test that are told where to report faults of signet's own: here there is to be none.

/** Ends the test process with the fault. */
export function noFault(thrown: unknown): void {
  setImmediate(() => {
    throw thrown
  })
}
