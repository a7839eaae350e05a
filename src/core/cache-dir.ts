/** @file The folder for what can be made or fetched again: downloads, decoded images, measured lowerings. */

import { homedir, tmpdir, userInfo } from "node:os";
import { isAbsolute, join } from "node:path";

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * `$XDG_CACHE_HOME/wildmark`, else `~/.cache/wildmark`. An empty or relative HOME names no folder: then it is the home
 * that the system has for the user, and where it has none, a folder for temporary files. Never one below the working
 * folder.
 */
export function defaultCacheDir(env: Environment = process.env): string {
  return join(cacheBase(env), "wildmark");
}

/** A line that says which folder is taken, and why, where the environment names none; else undefined. */
export function cacheNote(env: Environment = process.env): string | undefined {
  if (isFolder(env.XDG_CACHE_HOME) || isFolder(env.HOME) || isFolder(env.USERPROFILE)) return undefined;
  const why = env.HOME === undefined ? "HOME is not set" : `HOME is "${env.HOME}", which names no folder`;
  return `note: ${why}; what is kept for later goes to ${defaultCacheDir(env)} (XDG_CACHE_HOME chooses another folder)`;
}

function cacheBase(env: Environment): string {
  // The XDG specification has relative paths ignored.
  if (isFolder(env.XDG_CACHE_HOME)) return env.XDG_CACHE_HOME;
  const home = [env.HOME, ask(homedir), ask(() => userInfo().homedir)].find(isFolder);
  if (home !== undefined) return join(home, ".cache");
  return join(tmpdir(), `cache-of-${ask(() => userInfo().username) ?? process.getuid?.() ?? "user"}`);
}

function isFolder(path: string | undefined): path is string {
  return path !== undefined && isAbsolute(path);
}

/** What the system says; nothing where it knows no such user. */
function ask(question: () => string): string | undefined {
  try {
    return question();
  } catch {
    return undefined;
  }
}
