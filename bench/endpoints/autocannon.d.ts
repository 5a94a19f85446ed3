// The part of autocannon that the bench uses: it brings no types.
declare module 'autocannon' {
  interface Options {
    readonly url: string
    readonly method: string
    readonly headers: Readonly<Record<string, string>>
    readonly body?: string
    readonly expectBody: string
    readonly connections: number
    /** s */
    readonly duration: number
    /** ms */
    readonly sampleInt: number
  }
  interface Result {
    readonly errors: number
    readonly timeouts: number
    readonly non2xx: number
    readonly mismatches: number
  }
  type OnResponse = (client: unknown, status: number, octets: number, milliseconds: number) => void
  interface Run extends PromiseLike<Result> {
    on(event: 'response', listener: OnResponse): this
  }
  function autocannon(options: Options): Run
  export = autocannon
}
