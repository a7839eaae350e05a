/**
 * @file Several keys on several suspects, judged together: e-values of keys with secrets of their own multiply, and of
 * many suspects e-BH names those that are owned, of whom a share alpha at most is innocent on average (Wang and
 * Ramdas, JRSS B 84, 2022).
 */

import { WildmarkError } from "../core/errors.js";
import { eBenjaminiHochberg, logProductOfEValues } from "../core/e-values.js";
import type { VerdictDocument } from "./verdict-result.js";
import { defined } from "../core/defined.js";

export interface NamedVerdict {
  /** The document's file, for messages. */
  readonly file: string;
  readonly document: VerdictDocument;
}

export interface JointVerdict {
  /** What the documents call the suspect. */
  readonly suspect: string;
  /** Hex SHA-256 of its file; absent of an endpoint. */
  readonly sha256?: string;
  readonly keys: readonly string[];
  /** Natural logarithm of the product of the keys' e-values. */
  readonly logE: number;
  readonly owned: boolean;
}

/**
 * @param alpha level of the false discovery rate over all suspects.
 * @returns one verdict a suspect, in the order in which they come.
 * @throws WildmarkError `usage` for documents without an e-value (keys whose labels were chosen), and for one key on
 *   one suspect twice: two looks are not two proofs.
 */
export function combineVerdicts(verdicts: readonly NamedVerdict[], alpha: number): JointVerdict[] {
  const bySuspect = new Map<string, NamedVerdict[]>();
  for (const each of verdicts) {
    const { suspect } = each.document;
    const id = suspect.sha256 ?? `${suspect.kind} ${suspect.name}`;
    const known = bySuspect.get(id) ?? [];
    const twin = known.find(({ document }) => idOf(document) === idOf(each.document));
    if (twin !== undefined) {
      throw new WildmarkError("usage", `${twin.file} and ${each.file} are about one key and one suspect.`, {
        hint: "Give one of them: a second look at the same answers proves nothing more.",
      });
    }
    bySuspect.set(id, [...known, each]);
  }
  const joint = [...bySuspect.values()].map((claims) => ({
    claims,
    logE: logProductOfEValues(claims.map(logEOf)),
  }));
  const owned = new Set(
    eBenjaminiHochberg(
      joint.map(({ logE }) => logE),
      alpha,
    ),
  );
  return joint.map(({ claims, logE }, i) => {
    const [first] = claims;
    if (first === undefined) throw new RangeError("a suspect without a claim");
    const { name, sha256 } = first.document.suspect;
    return {
      suspect: name,
      ...defined({ sha256 }),
      keys: claims.map(({ document }) => document.key.name),
      logE,
      owned: owned.has(i),
    };
  });
}

/** Of a key's labels rather than of its file, in which much can be changed that no label follows from. */
function idOf({ key }: VerdictDocument): string {
  return key.drawn?.identity ?? key.sha256;
}

function logEOf({ file, document }: NamedVerdict): number {
  const { anytime, missing } = document.verdict;
  if (anytime !== undefined && missing === undefined) return anytime.logE;
  const why =
    missing === undefined
      ? "the labels of its key were chosen, not drawn"
      : `nothing can be shown by it without ${missing.join(" and ")}`;
  throw new WildmarkError("usage", `${file} holds no e-value: ${why}.`, {
    hint:
      "Only keys with a label drawn for each trigger, in verdicts that can show something, give evidence that can be " +
      "multiplied.",
  });
}
