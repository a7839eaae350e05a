/** @file How commands write for people: aligned columns and numbers as they are read aloud. */

/**
 * Rows as aligned columns, two spaces apart; columns of numbers (any cell beginning with a digit, all others too or
 * empty) are aligned to the right.
 *
 * @param header names of the columns; absent for plain lists.
 */
export function table(rows: readonly (readonly string[])[], header?: readonly string[]): string {
  const all = header === undefined ? rows : [header, ...rows];
  const columns = Math.max(0, ...all.map((row) => row.length));
  const cells = Array.from({ length: columns }, (_, column) => all.map((row) => row[column] ?? ""));
  const widths = cells.map((column) => Math.max(...column.map((cell) => cell.length)));
  const numeric = cells.map((_, column) => {
    const body = rows.map((row) => row[column] ?? "");
    return body.some((cell) => cell !== "") && body.every((cell) => cell === "" || /^[−+-]?\d[\d.,]*( %)?$/.test(cell));
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

/** Lines under a margin. */
export function indented(text: string): string {
  return text
    .split("\n")
    .map((line) => (line === "" ? "" : `  ${line}`))
    .join("\n");
}

/** A share as "98.6 %"; never rounded up to 100 or down to 0 unless it is. */
export function percent(share: number, digits = 1): string {
  const step = 10 ** -digits;
  const rounded = Number((100 * share).toFixed(digits));
  if (rounded >= 100 && share < 1) return `${(100 - step).toFixed(digits)} %`;
  if (rounded <= 0 && share > 0) return `${step.toFixed(digits)} %`;
  return `${rounded.toFixed(digits)} %`;
}

/** A p-value: "0.031", "3.2e-12", "< 1e-300". */
export function pValue(p: number): string {
  if (p < 1e-300) return "< 1e-300";
  if (p >= 0.001) return p.toFixed(3);
  return p.toExponential(1);
}

/** "431,080" */
export function count(n: number): string {
  return String(n).replaceAll(/\B(?=(\d{3})+$)/g, ",");
}

/** "a", "a and b", "a, b and c" */
export function listed(items: readonly string[]): string {
  return items.length < 2 ? items.join("") : `${items.slice(0, -1).join(", ")} and ${items.at(-1)}`;
}

/** A difference of two shares in percentage points, signed: "−0.42", "+1.00". */
export function points(difference: number): string {
  const text = Math.abs(100 * difference).toFixed(2);
  return `${difference < 0 ? "−" : "+"}${text}`;
}
