/** @file Choices with numbers as people write them: "cosine", "step:10:0.5". */

/**
 * Cuts the text into the fields of a choice, whatever they hold: `kind`, and numbers by the names that follow it.
 *
 * @param numbers names of the numbers that may follow a kind, in order; default: none.
 * @returns what a schema then checks; empty where there are more numbers than names.
 */
export function readKind(
  text: string,
  numbers: Readonly<Record<string, readonly string[]>>,
): Readonly<Record<string, unknown>> {
  const [kind, ...values] = text.split(":");
  const names = numbers[kind ?? ""] ?? [];
  if (values.length > names.length) return {};
  const fields = values.map((value, i) => [names[i], Number(value || Number.NaN)]);
  return { kind, ...Object.fromEntries(fields) };
}
