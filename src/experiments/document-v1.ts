/**
 * @file Documents of version 1, when `reproduce`, `audit` and `bench` each had a form of their own: read, and told in
 * the terms of the one experiment. They are evidence and are never rewritten.
 *
 * Only what the telling needs is checked here: all of it is checked as a document of version 2 afterwards.
 *
 * What they did not write down stays unsaid: `reproduce` set no acceptable drop; an audit kept the cleaned model's
 * verdict and not the null models'. Outcomes are drawn anew by the one rule: version 1 took some drops of exactly the
 * acceptable size for too dear.
 */

import { z } from "zod";
import { defined } from "../core/defined.js";
import { distinct } from "../core/lists.js";
import { verdictSchema } from "../ownership/verdict.js";
import { removalMethods } from "../removal/registry.js";
import { measurementSchema } from "../tasks/records.js";
import { markSchemes } from "../watermarks/registry.js";
import {
  EXPERIMENT_VERSION,
  type ExperimentDocument,
  experimentSchema,
  judgementSchema,
  optionsSchema,
} from "./document.js";
import { inBrief, outcomeOf } from "./judgement.js";

const rest = z.looseObject({});
const judged = z.looseObject({ measured: measurementSchema, verdict: verdictSchema });
const attack = judged.extend({ seed: z.int(), epochs: z.array(z.unknown()).min(1) });
const reactivated = z.object({ reactivated: judged.optional() });
const version = z.literal(1);

const reproduceSchema = z.looseObject({
  version,
  kind: z.literal("reproduce"),
  attacker: z.object({ fraction: z.number(), images: z.int() }),
  marks: z.array(z.string()),
  spec: z.object({
    training: optionsSchema.optional().catch(undefined),
    unrelated: z.string().optional().catch(undefined),
    marks: z.array(z.object({ id: z.string(), options: optionsSchema })).catch([]),
  }),
  unmarked: z.array(rest),
  marked: z.array(judged.extend({ mark: z.string(), title: z.string(), seed: z.int(), innocent: judged })),
  removals: z.array(
    attack.extend({ mark: z.string(), method: z.string(), title: z.string(), control: z.boolean(), options: rest }),
  ),
});

const auditCellShape = { attack: z.int(), fraction: z.number() };

const auditSchema = z.looseObject({
  version,
  kind: z.literal("audit"),
  model: z.object({ name: z.string(), sha256: z.string(), parameters: z.int() }),
  key: z.looseObject({ scheme: z.string(), sha256: z.string() }),
  before: judged,
  alpha: z.number(),
  acceptableDrop: z.number(),
  reactivation: z.unknown(),
  attacks: z.array(z.looseObject({ method: z.string(), title: z.string(), control: z.boolean() })),
  cells: z.array(
    z.discriminatedUnion("status", [
      attack.extend({ status: z.literal("done"), ...auditCellShape, images: z.int() }).extend(reactivated.shape),
      z.looseObject({ status: z.enum(["skipped", "failed"]), ...auditCellShape }),
    ]),
  ),
});

const ownedShape = { mark: z.int(), seed: z.int() };
const undone = z.enum(["missing", "failed", "skipped"]);

const benchSchema = z.looseObject({
  version,
  kind: z.literal("bench"),
  alpha: z.number(),
  acceptableDrop: z.number(),
  reactivation: z.unknown(),
  marks: z.array(rest),
  removers: z.array(z.looseObject({ control: z.boolean() })),
  unmarked: z.array(rest),
  owners: z.array(
    z.discriminatedUnion("status", [
      judged.extend({ status: z.literal("done"), ...ownedShape, innocents: z.array(rest) }),
      z.looseObject({ status: undone, ...ownedShape }),
    ]),
  ),
  cells: z.array(
    z.discriminatedUnion("status", [
      z.looseObject({
        status: z.literal("done"),
        ...ownedShape,
        judgement: judgementSchema,
        accuracyDrop: z.number(),
      }),
      z.looseObject({ status: undone, ...ownedShape }),
    ]),
  ),
});

const documentV1Schema = z.discriminatedUnion("kind", [reproduceSchema, auditSchema, benchSchema]);

type ReproduceV1 = z.infer<typeof reproduceSchema>;
type AuditV1 = z.infer<typeof auditSchema>;
type BenchV1 = z.infer<typeof benchSchema>;
type Attack = z.infer<typeof attack> & z.infer<typeof reactivated>;

/** A document of version 2 that has still to be checked. */
type Upgraded = { readonly [Field in keyof ExperimentDocument]?: unknown };

/** Whether something that was read is meant as a document of version 1. */
export function isV1(json: unknown): boolean {
  return z.object({ kind: z.enum(["reproduce", "audit", "bench"]) }).safeParse(json).success;
}

/** Such a document in the terms of version 2, or what is wrong with it. */
export function parseV1(json: unknown): z.ZodSafeParseSuccess<ExperimentDocument> | z.ZodSafeParseError<unknown> {
  const read = documentV1Schema.safeParse(json);
  return read.success ? experimentSchema.safeParse(upgraded(read.data)) : read;
}

function upgraded(document: ReproduceV1 | AuditV1 | BenchV1): Upgraded {
  const { kind } = document;
  const told =
    kind === "reproduce"
      ? upgradeReproduce(document)
      : kind === "audit"
        ? upgradeAudit(document)
        : upgradeBench(document);
  return {
    complete: true,
    architecture: null,
    training: null,
    pictures: {},
    empiricalNull: false,
    ...document,
    ...told,
    version: EXPERIMENT_VERSION,
    kind: "experiment",
    statement: kind,
  };
}

function upgradeReproduce({ attacker, spec, marks, unmarked, marked, removals }: ReproduceV1): Upgraded {
  const ids = distinct([...marks, ...marked.map(({ mark }) => mark)]);
  const subjects = ids.flatMap((mark) => {
    const first = marked.find((each) => each.mark === mark);
    // A mark that was planned but never embedded (a run that was stopped) has nothing to show.
    if (first === undefined) return [];
    const options = spec.marks.find(({ id }) => id === mark)?.options ?? {};
    return [{ kind: "made", name: first.title, ...markRecord(mark), options }];
  });
  const subjectOf = (id: string): number => subjects.findIndex(({ mark }) => mark === id);
  // Two variants of one method (WILD with CE, WILD with JS) share its id.
  const methodKey = ({ method, title }: ReproduceV1["removals"][number]): string => JSON.stringify([method, title]);
  const methods = new Map(removals.toReversed().map((removal) => [methodKey(removal), removal]));
  const keys = distinct(removals.map(methodKey));
  const decision = { alpha: marked[0]?.verdict.alpha ?? 0.05, acceptableDrop: null };
  return {
    decision,
    training: spec.training ?? null,
    pictures: defined({ unrelated: spec.unrelated }),
    subjects,
    removers: keys.flatMap((key) => {
      const { title = "", method = "", control, options } = methods.get(key) ?? {};
      return { name: title, method, ...methodRecord(method), baseline: control, options };
    }),
    budgets: [attacker.fraction],
    observe: { everyEpoch: true, pictures: true, reactivation: null },
    nullModels: unmarked.map((each) => ({ status: "done", seconds: 0, ...each })),
    marked: marked.map(({ mark, innocent: { measured, verdict }, ...rest }) => ({
      status: "done",
      seconds: 0,
      ...rest,
      subject: subjectOf(mark),
      onNullModels: [{ seed: rest.seed, ...measured, judgement: inBrief(verdict) }],
    })),
    attacks: removals.map((removal) => {
      const before = marked.find(({ mark, seed }) => mark === removal.mark && seed === removal.seed) ?? removal;
      return {
        ...attacked(removal, before, decision),
        subject: subjectOf(removal.mark),
        remover: keys.indexOf(methodKey(removal)),
        fraction: attacker.fraction,
        images: { labelled: attacker.images, unlabelled: 0 },
      };
    }),
  };
}

function upgradeAudit({ alpha, acceptableDrop, reactivation, before, attacks, cells, model, key }: AuditV1): Upgraded {
  const decision = { alpha, acceptableDrop };
  return {
    decision,
    subjects: [{ kind: "given", name: model.name, ...markRecord(key.scheme), options: {}, model, key }],
    removers: attacks.map(({ control, ...attack }) => ({
      ...methodRecord(attack.method),
      ...attack,
      name: attack.title,
      ignoresModel: control,
    })),
    observe: { everyEpoch: true, pictures: false, reactivation: reactivation ?? null },
    nullModels: [],
    marked: [
      {
        ...key,
        ...before,
        status: "done",
        subject: 0,
        seed: null,
        modelSha256: model.sha256,
        keySha256: key.sha256,
        epochs: [],
        seconds: 0,
        onNullModels: [],
        pictures: [],
      },
    ],
    attacks: cells.map((cell) => {
      const where = { subject: 0, remover: cell.attack };
      if (cell.status !== "done") return { ...cell, ...where };
      return { ...attacked(cell, before, decision), ...where, images: { labelled: cell.images, unlabelled: 0 } };
    }),
  };
}

function upgradeBench({ alpha, acceptableDrop, reactivation, owners, ...bench }: BenchV1): Upgraded {
  const decision = { alpha, acceptableDrop };
  const shownBefore = ({ mark, seed }: BenchV1["cells"][number]): boolean =>
    owners.some((owner) => {
      return owner.status === "done" && owner.mark === mark && owner.seed === seed && owner.verdict.owned;
    });
  return {
    decision,
    subjects: bench.marks.map((mark) => ({ kind: "made", ...mark })),
    removers: bench.removers.map(({ control, ...remover }) => ({ ...remover, baseline: control })),
    observe: { everyEpoch: false, pictures: true, reactivation },
    nullModels: bench.unmarked.map((each) => ({ epochs: [], ...each })),
    marked: owners.map(({ mark, ...owner }) => ({ ...owner, subject: mark, onNullModels: owner.innocents })),
    attacks: bench.cells.map((cell) => {
      if (cell.status !== "done") return { ...cell, subject: cell.mark };
      const found = { shownBefore: shownBefore(cell), shown: cell.judgement.owned, drop: cell.accuracyDrop };
      return { ...cell, subject: cell.mark, outcome: outcomeOf(found, decision) };
    }),
  };
}

/** A cell of `reproduce` or `audit` that is done, but for where it stands. */
function attacked(
  { verdict, reactivated, ...run }: Attack,
  before: z.infer<typeof judged>,
  decision: ExperimentDocument["decision"],
) {
  const drop = before.measured.accuracy - run.measured.accuracy;
  return {
    atChance: false,
    ...run,
    status: "done",
    judgement: inBrief(verdict),
    accuracyDrop: drop,
    outcome: outcomeOf({ shownBefore: before.verdict.owned, shown: verdict.owned, drop }, decision),
    epochs: run.epochs.length - 1,
    curve: run.epochs,
    ...defined({ reactivated: reactivated && { ...reactivated, judgement: inBrief(reactivated.verdict) } }),
  };
}

/** What is known of a mark by its id; documents may name some that are gone. */
function markRecord(mark: string) {
  const { summary = "", paper = "" } = markSchemes.find(({ id }) => id === mark) ?? {};
  return { mark, summary, paper };
}

/** The same of a removal method. */
function methodRecord(method: string) {
  const record = removalMethods.find(({ id }) => id === method);
  const { summary = "", paper = "", needs = [], baseline = false, ignoresModel = false } = record ?? {};
  return { summary, paper, needs: [...needs], baseline, ignoresModel };
}
