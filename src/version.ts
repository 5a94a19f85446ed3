// The version of signet, for what has no package.json at hand. `test/library.test.ts` holds both to each other.

/** As in package.json. */
export const VERSION = '0.1.0'
