#!/usr/bin/env node
/**
 * @file The executable: refuses Nodes that are too old, hands the words of the command line over, and ends with the
 * status that comes back.
 *
 * The program is imported only after the check, and nothing here is newer than what Node 12 reads (no `await` at the
 * top).
 */

import { oldNodeComplaint } from "./node-floor.js";

const complaint = oldNodeComplaint(process.version);
if (complaint !== undefined) {
  process.stderr.write(`${complaint}\n`);
  process.exitCode = 2;
} else {
  import("./program.js").then(({ runProcess }) => runProcess(process.argv.slice(2)));
}
