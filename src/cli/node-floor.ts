/**
 * @file Whether this Node is new enough. It is asked before anything else is loaded: an older one would stop at the
 * first syntax or module that it does not know, and say only that.
 *
 * Written for old Nodes too: nothing is imported, and nothing is said in newer syntax than they read.
 */

/** The releases that `engines` in package.json allows: from these on in their lines, and every line above the last. */
const FLOORS = [
  { major: 20, minor: 19 },
  { major: 22, minor: 12 },
];

/**
 * What to say of a Node that is too old, and nothing of one that is not.
 *
 * @param version such as "v20.19.0"
 */
export function oldNodeComplaint(version: string): string | undefined {
  const parts = version.replace(/^v/, "").split(".").map(Number);
  const major = parts[0] || 0;
  const minor = parts[1] || 0;
  const isNewer = major > 22;
  const isAllowed = FLOORS.some((floor) => floor.major === major && minor >= floor.minor);
  if (isNewer || isAllowed) return undefined;
  return (
    `wildmark: Node ${version} is too old: expected 20.19 or newer in line 20, or 22.12 or newer ` +
    `(https://nodejs.org).`
  );
}
