// The parts of two packages that are used here: they come without types.

declare module 'negotiator' {
  class Negotiator {
    /** @param request of which only Accept-Encoding is looked at here */
    constructor(request: { readonly headers: { readonly 'accept-encoding'?: string } })
    /** The most acceptable of `available`; among equals the one that comes first in `preferred`. None: undefined. */
    encoding(
      available: readonly string[],
      options: { readonly preferred: readonly string[] },
    ): string | undefined
  }
  export = Negotiator
}

declare module 'compressible' {
  /** Whether content of this media type gains by compression; undefined where that is not known. */
  function compressible(type: string): boolean | undefined
  export = compressible
}
