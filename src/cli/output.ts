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

/** Breaks lines at spaces so that none is wider than `width`; what follows keeps the line's indentation. */
export function wrapped(text: string, width: number): string {
  return text
    .split("\n")
    .map((line) => wrappedLine(line, width))
    .join("\n");
}

function wrappedLine(line: string, width: number): string {
  if (line.length <= width) return line;
  const indent = /^ */.exec(line)?.[0] ?? "";
  const lines = [""];
  for (const word of line.trim().split(" ")) {
    const last = lines.at(-1) ?? "";
    const longer = last === "" ? word : `${last} ${word}`;
    if (last !== "" && indent.length + longer.length > width) lines.push(word);
    else lines[lines.length - 1] = longer;
  }
  return lines.map((part) => indent + part).join("\n");
}

/** "431,080" */
export function count(n: number): string {
  return String(n).replaceAll(/\B(?=(\d{3})+$)/g, ",");
}

/** A difference of two shares in percentage points, signed: "−0.42", "+1.00". */
export function points(difference: number): string {
  const text = Math.abs(100 * difference).toFixed(2);
  return `${difference < 0 ? "−" : "+"}${text}`;
}
