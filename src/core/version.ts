/** @file Wildmark's own version, from the package that this code lies in. */

import { readFileSync } from "node:fs";

/** Such as "0.1.0"; keys and results are stamped with it. */
export const WILDMARK_VERSION: string = readVersion();

function readVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  const version = typeof manifest === "object" && manifest !== null && "version" in manifest && manifest.version;
  return typeof version === "string" ? version : "unknown";
}
