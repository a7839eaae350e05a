/** @file Puts the nodes of a graph in an order in which every value is computed before it is used. */

import { WildmarkError } from "../core/errors.js";
import { describeNode, type Node } from "./graph.js";

/** A node and all the values it reads, which for a node with sub-graphs is more than its inputs. */
export interface Reader {
  readonly node: Node;
  readonly reads: readonly string[];
}

/**
 * Nodes already in order keep it; others move up to just before their first reader.
 *
 * @param given values that need no computing: inputs and initialisers.
 * @throws WildmarkError `bad-model` for a value computed twice, a value that nothing computes, or a cycle.
 */
export function sortNodes(readers: readonly Reader[], given: ReadonlySet<string>): Node[] {
  const makers = new Map<string, Reader>();
  for (const reader of readers) {
    for (const output of reader.node.outputs) {
      if (output === "") continue;
      if (makers.has(output) || given.has(output)) {
        throw new WildmarkError("bad-model", `The graph computes "${output}" twice (${describeNode(reader.node)}).`);
      }
      makers.set(output, reader);
    }
  }

  const sorted: Node[] = [];
  const state = new Map<Reader, "open" | "done">();
  for (const first of readers) {
    // A stack of our own: a chain of nodes may be longer than the call stack is deep.
    const stack = [{ reader: first, next: 0 }];
    while (stack.length > 0) {
      const top = stack[stack.length - 1];
      if (top === undefined || state.get(top.reader) === "done") {
        stack.pop();
        continue;
      }
      state.set(top.reader, "open");
      const value = top.reader.reads[top.next++];
      if (value === undefined) {
        state.set(top.reader, "done");
        sorted.push(top.reader.node);
      } else if (value !== "" && !given.has(value)) {
        const maker = makers.get(value);
        if (maker === undefined) {
          throw new WildmarkError(
            "bad-model",
            `${describeNode(top.reader.node)} reads "${value}", which nothing computes.`,
          );
        }
        if (state.get(maker) === "open") {
          throw new WildmarkError("bad-model", `The graph runs in a circle through ${describeNode(maker.node)}.`);
        }
        if (state.get(maker) === undefined) stack.push({ reader: maker, next: 0 });
      }
    }
  }
  return sorted;
}
