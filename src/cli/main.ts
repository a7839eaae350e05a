#!/usr/bin/env node
/** @file The executable: hands the words of the command line over, and ends with the status that comes back. */

import { runCommandLine } from "./program.js";

// A reader that has seen enough (`wildmark list | head`) is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
});

const ended = await runCommandLine(process.argv.slice(2));
process.exitCode = ended.status;
// Work that did not stop in time would keep the process alive.
if (ended.abandoned) process.exit();
