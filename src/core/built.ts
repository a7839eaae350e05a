/** @file Where a script lies that runs in a process or a thread of its own: Node starts those from the build alone. */

import { fileURLToPath } from "node:url";

/**
 * @param script below the root of the build, such as "runtime/device-trial.js".
 * @returns its path; of the build in `dist` where this code itself runs from the sources, as tests do.
 */
export function builtScript(script: string): string {
  const root = import.meta.url.endsWith(".ts") ? "../../dist/" : "../";
  return fileURLToPath(new URL(`${root}${script}`, import.meta.url));
}
