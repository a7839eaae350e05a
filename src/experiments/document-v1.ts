/**
 * @file Documents of version 1, when `reproduce`, `audit` and `bench` each had a form of their own: read, and told in
 * the terms of the one experiment. They are evidence and are never rewritten.
 *
 * What they did not write down stays unsaid: `reproduce` set no acceptable drop; an audit kept the cleaned model's
 * verdict and not the null models'. Outcomes are drawn anew by the one rule: version 1 took some drops of exactly the
 * acceptable size for too dear.
 */

import { z } from "zod";
import { distinct } from "../core/lists.js";
import { verdictSchema } from "../ownership/verdict.js";
import { removalMethods } from "../removal/registry.js";
import { reactivationSchema } from "../tasks/reactivation.js";
import { epochSchema, measurementSchema, pictureSchema, share } from "../tasks/records.js";
import { markSchemes } from "../watermarks/registry.js";
import {
  type AttackCell,
  budgetSchema as budget,
  documentShape as commonShape,
  EXPERIMENT_VERSION,
  type ExperimentDocument,
  judgementSchema,
  type MarkedCell,
  type NullModelCell,
  optionsSchema,
  type RemoverSummary,
  type SubjectSummary,
} from "./document.js";
import { inBrief, outcomeOf, outcomes } from "./judgement.js";

const documentShape = { ...commonShape, version: z.literal(1) };

// reproduce

const unmarkedModelSchema = z.object({
  seed: z.int(),
  accuracy: share,
  epochs: z.array(epochSchema),
  modelSha256: z.string(),
});

const markedModelSchema = z.object({
  mark: z.string(),
  title: z.string(),
  seed: z.int(),
  triggers: z.int().positive(),
  heldOutTriggers: z.int().min(0),
  modelSha256: z.string(),
  keySha256: z.string(),
  epochs: z.array(epochSchema),
  measured: measurementSchema,
  verdict: verdictSchema,
  /** The same key tried on the model of the same seed that was trained without any mark. */
  innocent: z.object({ measured: measurementSchema, verdict: verdictSchema }),
  pictures: z.array(pictureSchema),
});

const removalSchema = z.object({
  mark: z.string(),
  seed: z.int(),
  method: z.string(),
  title: z.string(),
  control: z.boolean(),
  options: optionsSchema,
  epochs: z.array(epochSchema).min(1),
  measured: measurementSchema,
  verdict: verdictSchema,
  seconds: z.number().min(0),
  modelSha256: z.string(),
});

const reproduceSchema = z.object({
  ...documentShape,
  kind: z.literal("reproduce"),
  architecture: z.object({ id: z.string(), title: z.string(), parameters: z.int().positive() }),
  attacker: z.object({ fraction: z.number().gt(0).max(1), images: z.int().positive() }),
  seeds: z.array(z.int()).min(1),
  marks: z.array(z.string()).min(1),
  spec: z.record(z.string(), z.json()),
  unmarked: z.array(unmarkedModelSchema),
  marked: z.array(markedModelSchema).min(1),
  removals: z.array(removalSchema),
});

// audit

const auditOutcomeShape = {
  epochs: z.array(epochSchema).min(1),
  measured: measurementSchema,
  verdict: verdictSchema,
  atChance: z.boolean().default(false),
  seconds: z.number().min(0),
  reactivated: z.object({ measured: measurementSchema, verdict: verdictSchema, seconds: z.number().min(0) }).optional(),
  modelSha256: z.string(),
};

const auditCellShape = { attack: z.int().min(0), fraction: budget, seed: z.int() };

const auditCellSchema = z.discriminatedUnion("status", [
  z.object({ status: z.literal("done"), ...auditCellShape, images: z.int().positive(), ...auditOutcomeShape }),
  z.object({ status: z.literal("skipped"), ...auditCellShape, reason: z.string() }),
  z.object({
    status: z.literal("failed"),
    ...auditCellShape,
    images: z.int().positive(),
    reason: z.string(),
    mayPass: z.boolean().default(true),
  }),
]);

const auditSchema = z
  .object({
    ...documentShape,
    kind: z.literal("audit"),
    model: z.object({ name: z.string(), sha256: z.string(), parameters: z.int().min(0) }),
    key: z.object({
      name: z.string(),
      sha256: z.string(),
      scheme: z.string(),
      triggers: z.int().positive(),
      heldOutTriggers: z.int().min(0),
      madeForThisModel: z.boolean(),
    }),
    before: z.object({ measured: measurementSchema, verdict: verdictSchema, atChance: z.boolean().optional() }),
    alpha: z.number().gt(0).lt(1),
    acceptableDrop: share,
    reactivation: reactivationSchema.nullable().default(null),
    budgets: z.array(budget).min(1),
    seeds: z.array(z.int()).min(1),
    attacks: z
      .array(
        z.object({
          method: z.string(),
          title: z.string(),
          summary: z.string(),
          paper: z.string(),
          control: z.boolean(),
          options: optionsSchema,
        }),
      )
      .min(1),
    cells: z.array(auditCellSchema),
  })
  .refine(({ attacks, cells }) => cells.every(({ attack }) => attack < attacks.length), {
    path: ["cells"],
    message: "a cell names an attack that the document does not list",
  });

// bench

const failed = { status: z.literal("failed"), reason: z.string() };
const missing = { status: z.literal("missing") };
const ownerShape = { mark: z.int().min(0), seed: z.int() };
const benchCellShape = { ...ownerShape, remover: z.int().min(0), fraction: budget };

const benchUnmarkedSchema = z.discriminatedUnion("status", [
  z.object({
    status: z.literal("done"),
    seed: z.int(),
    accuracy: share,
    seconds: z.number().min(0),
    modelSha256: z.string(),
  }),
  z.object({ ...failed, seed: z.int() }),
  z.object({ ...missing, seed: z.int() }),
]);

const benchOwnerSchema = z.discriminatedUnion("status", [
  z.object({
    status: z.literal("done"),
    ...ownerShape,
    triggers: z.int().positive(),
    heldOutTriggers: z.int().min(0),
    modelSha256: z.string(),
    keySha256: z.string(),
    epochs: z.array(epochSchema),
    measured: measurementSchema,
    verdict: verdictSchema,
    seconds: z.number().min(0),
    innocents: z.array(z.object({ seed: z.int(), retention: share, heldOutRetention: share.optional() })),
    pictures: z.array(pictureSchema),
  }),
  z.object({ ...failed, ...ownerShape }),
  z.object({ ...missing, ...ownerShape }),
]);

const benchCellSchema = z.discriminatedUnion("status", [
  z.object({
    status: z.literal("done"),
    ...benchCellShape,
    images: z.object({ labelled: z.int().min(0), unlabelled: z.int().min(0) }),
    measured: measurementSchema,
    judgement: judgementSchema,
    accuracyDrop: z.number().min(-1).max(1),
    outcome: z.enum(outcomes),
    atChance: z.boolean(),
    epochs: z.int().min(0),
    seconds: z.number().min(0),
    modelSha256: z.string(),
    reactivated: z
      .object({ measured: measurementSchema, judgement: judgementSchema, seconds: z.number().min(0) })
      .optional(),
  }),
  z.object({ status: z.literal("skipped"), ...benchCellShape, reason: z.string() }),
  z.object({ ...failed, ...benchCellShape }),
  z.object({ ...missing, ...benchCellShape }),
]);

const benchSchema = z
  .object({
    ...documentShape,
    kind: z.literal("bench"),
    complete: z.boolean(),
    architecture: z.object({ id: z.string(), title: z.string(), parameters: z.int().positive() }),
    alpha: z.number().gt(0).lt(1),
    acceptableDrop: share,
    budgets: z.array(budget).min(1),
    seeds: z.array(z.int()).min(1),
    marks: z
      .array(
        z.object({
          name: z.string(),
          mark: z.string(),
          summary: z.string(),
          paper: z.string(),
          options: optionsSchema,
        }),
      )
      .min(1),
    removers: z
      .array(
        z.object({
          name: z.string(),
          method: z.string(),
          summary: z.string(),
          paper: z.string(),
          needs: z.array(z.enum(["labelled", "unlabelled"])),
          control: z.boolean(),
          ignoresModel: z.boolean(),
          options: optionsSchema,
        }),
      )
      .min(1),
    training: optionsSchema,
    reactivation: reactivationSchema.nullable(),
    empiricalNull: z.boolean(),
    unmarked: z.array(benchUnmarkedSchema),
    owners: z.array(benchOwnerSchema).min(1),
    cells: z.array(benchCellSchema).min(1),
  })
  .refine(
    ({ marks, removers, owners, cells }) =>
      [...owners, ...cells].every(({ mark }) => mark < marks.length) &&
      cells.every(({ remover }) => remover < removers.length),
    { path: ["cells"], message: "a cell names a mark or a remover that the document does not list" },
  );

export const documentV1Schema = z.discriminatedUnion("kind", [reproduceSchema, auditSchema, benchSchema]);

type ReproduceV1 = z.infer<typeof reproduceSchema>;
type AuditV1 = z.infer<typeof auditSchema>;
type BenchV1 = z.infer<typeof benchSchema>;
export type DocumentV1 = ReproduceV1 | AuditV1 | BenchV1;

/** The same in the terms of version 2. */
export function upgradeV1(document: DocumentV1): ExperimentDocument {
  switch (document.kind) {
    case "reproduce":
      return upgradeReproduce(document);
    case "audit":
      return upgradeAudit(document);
    case "bench":
      return upgradeBench(document);
  }
}

function common({ format, title, command, started, finished, seconds, software, machine, data }: DocumentV1) {
  const said = { format, title, command, started, finished, seconds, software, machine, data };
  return { ...said, version: EXPERIMENT_VERSION, kind: "experiment" } as const;
}

function upgradeReproduce(result: ReproduceV1): ExperimentDocument {
  const { attacker, architecture, seeds, marked, removals } = result;
  const ids = distinct([...result.marks, ...marked.map(({ mark }) => mark)]);
  const subjects = ids.flatMap((mark): (SubjectSummary & { readonly mark: string })[] => {
    const first = marked.find((each) => each.mark === mark);
    // A mark that was planned but never embedded (a run that was stopped) has nothing to show.
    if (first === undefined) return [];
    return [{ kind: "made", name: first.title, ...markRecord(mark), options: optionsOf(result.spec.marks, mark) }];
  });
  const subjectOf = (mark: string): number => subjects.findIndex((subject) => subject.mark === mark);
  const methods = distinct(removals.map(methodKey));
  const decision = { alpha: marked[0]?.verdict.alpha ?? 0.05, acceptableDrop: null };
  return {
    ...common(result),
    statement: "reproduce",
    complete: true,
    decision,
    architecture,
    training: z.object({ training: optionsSchema }).safeParse(result.spec).data?.training ?? null,
    pictures: z.object({ unrelated: z.string().optional() }).catch({}).parse(result.spec),
    subjects,
    removers: methods.flatMap((key): RemoverSummary[] => {
      const first = removals.find((removal) => methodKey(removal) === key);
      if (first === undefined) return [];
      const { title, method, control, options } = first;
      return [{ name: title, method, ...methodRecord(method), baseline: control, options }];
    }),
    budgets: [attacker.fraction],
    seeds,
    observe: { everyEpoch: true, pictures: true, reactivation: null },
    empiricalNull: false,
    nullModels: result.unmarked.map((each) => ({ status: "done", seconds: 0, ...each })),
    marked: marked.map(({ mark, title: _, innocent, ...rest }) => ({
      status: "done",
      subject: subjectOf(mark),
      atChance: false,
      seconds: 0,
      ...rest,
      onNullModels: [
        {
          seed: rest.seed,
          retention: innocent.measured.retention,
          ...heldOut(innocent.measured),
          judgement: inBrief(innocent.verdict),
        },
      ],
    })),
    attacks: removals.map((removal): AttackCell => {
      const { mark, seed, epochs, measured, verdict, seconds, modelSha256 } = removal;
      const before = marked.find((each) => each.mark === mark && each.seed === seed);
      const drop = (before?.measured.accuracy ?? measured.accuracy) - measured.accuracy;
      const found = { shownBefore: before?.verdict.owned ?? false, shown: verdict.owned, drop };
      return {
        status: "done",
        subject: subjectOf(mark),
        seed,
        remover: methods.indexOf(methodKey(removal)),
        fraction: attacker.fraction,
        images: { labelled: attacker.images, unlabelled: 0 },
        measured,
        judgement: inBrief(verdict),
        accuracyDrop: drop,
        outcome: outcomeOf(found, decision),
        atChance: false,
        epochs: epochs.length - 1,
        curve: epochs,
        seconds,
        modelSha256,
      };
    }),
  };
}

function upgradeAudit(audit: AuditV1): ExperimentDocument {
  const { alpha, acceptableDrop, before, budgets, seeds, attacks, cells, model, key } = audit;
  const decision = { alpha, acceptableDrop };
  const subject: SubjectSummary = {
    kind: "given",
    name: model.name,
    ...markRecord(key.scheme),
    options: {},
    model,
    key: { name: key.name, sha256: key.sha256, madeForThisModel: key.madeForThisModel },
  };
  const marked: MarkedCell = {
    status: "done",
    subject: 0,
    seed: null,
    triggers: key.triggers,
    heldOutTriggers: key.heldOutTriggers,
    modelSha256: model.sha256,
    keySha256: key.sha256,
    epochs: [],
    measured: before.measured,
    atChance: before.atChance ?? false,
    verdict: before.verdict,
    seconds: 0,
    onNullModels: [],
    pictures: [],
  };
  return {
    ...common(audit),
    statement: "audit",
    complete: true,
    decision,
    architecture: null,
    training: null,
    pictures: {},
    subjects: [subject],
    removers: attacks.map(({ title, control, method, summary, paper, options }) => {
      const record = methodRecord(method);
      return { name: title, method, ...record, summary, paper, ignoresModel: control, options };
    }),
    budgets,
    seeds,
    observe: { everyEpoch: true, pictures: false, reactivation: audit.reactivation },
    empiricalNull: false,
    nullModels: [],
    marked: [marked],
    attacks: cells.map((cell): AttackCell => {
      const where = { subject: 0, seed: cell.seed, remover: cell.attack, fraction: cell.fraction };
      if (cell.status === "skipped") return { status: "skipped", ...where, reason: cell.reason };
      if (cell.status === "failed") {
        return { status: "failed", ...where, reason: cell.reason, mayPass: cell.mayPass };
      }
      const { images, epochs, measured, verdict, atChance, seconds, reactivated, modelSha256 } = cell;
      const drop = before.measured.accuracy - measured.accuracy;
      return {
        status: "done",
        ...where,
        images: { labelled: images, unlabelled: 0 },
        measured,
        judgement: inBrief(verdict),
        accuracyDrop: drop,
        outcome: outcomeOf({ shownBefore: before.verdict.owned, shown: verdict.owned, drop }, decision),
        atChance,
        epochs: epochs.length - 1,
        curve: epochs,
        seconds,
        modelSha256,
        ...(reactivated === undefined
          ? {}
          : {
              reactivated: {
                measured: reactivated.measured,
                judgement: inBrief(reactivated.verdict),
                seconds: reactivated.seconds,
              },
            }),
      };
    }),
  };
}

function upgradeBench(bench: BenchV1): ExperimentDocument {
  const { complete, alpha, acceptableDrop, architecture, training, reactivation, empiricalNull, owners } = bench;
  const decision = { alpha, acceptableDrop };
  const shownBefore = ({ mark, seed }: { readonly mark: number; readonly seed: number }): boolean =>
    owners.some(
      (owner) => owner.status === "done" && owner.mark === mark && owner.seed === seed && owner.verdict.owned,
    );
  return {
    ...common(bench),
    statement: "bench",
    complete,
    decision,
    architecture,
    training,
    pictures: {},
    subjects: bench.marks.map((mark) => ({ kind: "made", ...mark })),
    removers: bench.removers.map(({ control, ...remover }) => ({ ...remover, baseline: control })),
    budgets: bench.budgets,
    seeds: bench.seeds,
    observe: { everyEpoch: false, pictures: true, reactivation },
    empiricalNull,
    nullModels: bench.unmarked.map((each): NullModelCell => {
      if (each.status === "done") return { ...each, epochs: [] };
      return each.status === "failed" ? { ...each, mayPass: true } : each;
    }),
    marked: owners.map((owner): MarkedCell => {
      const { mark: subject, ...rest } = owner;
      if (rest.status === "missing") return { ...rest, subject };
      if (rest.status === "failed") return { ...rest, subject, mayPass: true };
      const { innocents, ...found } = rest;
      return { ...found, subject, atChance: false, onNullModels: innocents };
    }),
    attacks: bench.cells.map((cell): AttackCell => {
      const { mark, ...rest } = cell;
      switch (rest.status) {
        case "done": {
          const found = { shownBefore: shownBefore(cell), shown: rest.judgement.owned, drop: rest.accuracyDrop };
          return { ...rest, subject: mark, outcome: outcomeOf(found, decision) };
        }
        case "failed":
          return { ...rest, subject: mark, mayPass: true };
        default:
          return { ...rest, subject: mark };
      }
    }),
  };
}

/** What is known of a mark by its id; documents may name some that are gone. */
function markRecord(mark: string): Pick<SubjectSummary, "mark" | "summary" | "paper"> {
  const { summary = "", paper = "" } = markSchemes.find(({ id }) => id === mark) ?? {};
  return { mark, summary, paper };
}

/** The same of a removal method. */
function methodRecord(
  method: string,
): Pick<RemoverSummary, "summary" | "paper" | "needs" | "baseline" | "ignoresModel"> {
  const record = removalMethods.find(({ id }) => id === method);
  const { summary = "", paper = "", needs = [], baseline = false, ignoresModel = false } = record ?? {};
  return { summary, paper, needs: [...needs], baseline, ignoresModel };
}

const chosenSchema = z.array(z.object({ id: z.string(), options: optionsSchema }));

/** Of a mark, by what a spec of version 1 says of all of them. */
function optionsOf(marks: unknown, id: string): SubjectSummary["options"] {
  return chosenSchema.safeParse(marks).data?.find((mark) => mark.id === id)?.options ?? {};
}

function heldOut({ heldOutRetention }: z.infer<typeof measurementSchema>) {
  return heldOutRetention === undefined ? {} : { heldOutRetention };
}

/** Two variants of one method (WILD with CE, WILD with JS) share its id. */
function methodKey({ method, title }: { readonly method: string; readonly title: string }): string {
  return JSON.stringify([method, title]);
}
