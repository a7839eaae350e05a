/** @file How commands write for people: aligned columns and numbers as they are read aloud. */

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
