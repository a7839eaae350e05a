/** @file Tables of plain text, for terminals. */

/** "−0.61", "60 000", "4.0 %", "3.2 × 10⁻⁵", "< 10⁻¹²". */
const NUMBER = /^[<>]? ?[−+-]?\d[\d.,]*( \d{3})*( %| × 10[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+|[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)?$/;

/**
 * Rows as aligned columns, two spaces apart; columns that hold nothing but numbers, shares and p-values
 * are aligned to the right.
 *
 * @param header names of the columns; absent for plain lists.
 */
export function textTable(rows: readonly (readonly string[])[], header?: readonly string[]): string {
  const all = header === undefined ? rows : [header, ...rows];
  const columns = Math.max(0, ...all.map((row) => row.length));
  const cells = Array.from({ length: columns }, (_, column) => all.map((row) => row[column] ?? ""));
  const widths = cells.map((column) => Math.max(...column.map((cell) => cell.length)));
  const numeric = cells.map((_, column) => {
    const body = rows.map((row) => row[column] ?? "");
    return body.some((cell) => cell !== "") && body.every((cell) => cell === "" || NUMBER.test(cell));
  });
  return all
    .map((row) =>
      widths
        .map((width, column) => {
          const cell = row[column] ?? "";
          return numeric[column] ? cell.padStart(width) : cell.padEnd(width);
        })
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
