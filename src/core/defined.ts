/** @file Optional properties: what is undefined is left out. */

type Optional<T> = { readonly [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined> };
type Given<T> = { readonly [K in keyof T as undefined extends T[K] ? never : K]: T[K] };

/**
 * The entries that are not undefined. With `exactOptionalPropertyTypes` an optional property may be absent, never
 * undefined, so `{ ...defined({ runtime }) }` says what `{ runtime }` must not.
 */
export function defined<T extends Readonly<Record<string, unknown>>>(entries: T): Given<T> & Optional<T> {
  const there = Object.entries(entries).filter(([, value]) => value !== undefined);
  // The filter is what the type says; TypeScript cannot follow it through entries.
  return Object.fromEntries(there) as Given<T> & Optional<T>;
}
