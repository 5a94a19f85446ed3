// The part of the WebAssembly API that parser.ts uses: TypeScript has it only together with the whole DOM.
declare namespace WebAssembly {
  type Imports = Record<string, Record<string, unknown>>
  interface Memory {
    readonly buffer: ArrayBuffer
  }
  class Module {
    private constructor()
    static imports(module: Module): { module: string; name: string; kind: string }[]
  }
  class Instance {
    constructor(module: Module, imports?: Imports)
    readonly exports: Record<string, unknown>
  }
}
