// Tables that commands print. In: rows of cells. Out: text in columns.

/** Cells by row; the names of the columns come first. */
export type Rows = readonly (readonly string[])[]

/** Rows as text, each column as wide as its widest cell. */
export function table(rows: Rows): string {
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)))
  const line = (row: readonly string[]) =>
    row
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join('  ')
      .trimEnd()
  return rows.map((row) => `${line(row)}\n`).join('')
}
