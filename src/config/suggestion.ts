// What somebody who mistyped a name may have meant. In: what was typed and what there is. Out: the nearest, if one is near.

/** The candidate nearest to what was typed, prefix and case aside; undefined when none is near. */
export function nearest(typed: string, candidates: readonly string[]): string | undefined {
  const core = (name: string) => name.replace(/^(--|[A-Z]+_)/, '').toLowerCase()
  const most = Math.min(3, core(typed).length / 2)
  // Only what could be near by its length: an endless name would take endless time.
  const ranked = candidates
    .filter((name) => Math.abs(core(name).length - core(typed).length) <= most)
    .map((name) => ({ name, edits: editDistance(core(typed), core(name)) }))
    .filter(({ edits }) => edits <= most)
  return ranked.sort((a, b) => a.edits - b.edits)[0]?.name
}

/** How many letters must be added, removed or replaced to make `a` into `b` (Levenshtein). */
function editDistance(a: string, b: string): number {
  let above = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let row = 1; row <= a.length; row++) {
    const edits = [row]
    for (let column = 1; column <= b.length; column++) {
      const replaced = above[column - 1]! + (a[row - 1] === b[column - 1] ? 0 : 1)
      edits.push(Math.min(above[column]! + 1, edits[column - 1]! + 1, replaced))
    }
    above = edits
  }
  return above[b.length]!
}
