/**
 * @file Gathers what is finished of an experiment into its document, at any moment: computes nothing, and judges what
 * was answered.
 */

import type { Key } from "../ownership/key.js";
import type { Verdict } from "../ownership/verdict.js";
import { verifyAnswers } from "../ownership/verify.js";
import { removalMethods } from "../removal/registry.js";
import { markSchemes } from "../watermarks/registry.js";
import { type FoundCells, findCells, markedBy, type Place } from "./cells.js";
import type { Answers } from "./cells/definition.js";
import type { KeyCheckResult } from "./cells/key-check.js";
import { asArrays, loadKey, type MarkedModelResult } from "./cells/marked-model.js";
import type { AttackCell, ExperimentDocument, MarkedCell, NullModelCell, SubjectSummary } from "./document.js";
import { type Failure, failureName } from "./failures.js";
import { inBrief, outcomeOf } from "./judgement.js";
import { parameterCount } from "./machine.js";
import { type AttackAddress, addressKey, type CellAddress, type MarkedAddress, type Plan } from "./plan.js";
import { imagesSha256, type KnownSpec, type KnownSubject, makesModels, marksOf, picturesNeeded } from "./spec.js";
import type { FinishedCell } from "./store.js";
import { defined } from "../core/defined.js";

/** All of a document that does not say who made it, when and where. */
export type Contents = Omit<
  ExperimentDocument,
  "format" | "version" | "kind" | "command" | "started" | "finished" | "seconds" | "software" | "machine" | "data"
>;

/** A marked model, and what judging its suspects takes. */
interface Marked {
  readonly address: MarkedAddress;
  readonly found: FinishedCell<MarkedModelResult>;
  readonly key: Key;
  readonly check: KeyCheckResult | undefined;
}

/** How a suspect is judged: the level, and whether among null models. */
interface Judging {
  readonly alpha: number;
  readonly empiricalNull: boolean;
}

/** @param failures why cells failed when they were tried last, by name */
export async function gather(
  place: Place<KnownSpec>,
  { skipped }: Plan,
  failures: ReadonlyMap<string, Failure>,
): Promise<Contents> {
  const { spec } = place;
  const { decision, budgets, seeds, nullModels, subjects, removers, observe } = spec;
  const cells = findCells(place);
  const models = subjects.flatMap((subject, position): MarkedAddress[] =>
    subject.kind === "given" ? [{ subject: position, seed: null }] : seeds.map((seed) => ({ subject: position, seed })),
  );
  const marked = new Map<string, Marked>();
  for (const address of models) {
    const found = await findMarked(spec, cells, address);
    if (found !== undefined) marked.set(JSON.stringify(address), found);
  }
  // Fewer null models than that could never show a mark, whatever a suspect answers.
  const enough = 1 / (nullModels.length + 1) <= decision.alpha;
  const tried = [...marked.values()].every(({ check }) => check !== undefined);
  const judging = { alpha: decision.alpha, empiricalNull: enough && tried };
  const failureOf = (address: CellAddress): Failure | undefined => failures.get(failureName(spec, address));
  const absent = (address: CellAddress) => absentCell(failureOf(address));

  const nullPart: NullModelCell[] = [];
  for (const seed of nullModels) {
    const found = await cells.nullModel(seed);
    if (found === undefined) nullPart.push({ ...absent({ kind: "null-model", seed }), seed });
    else nullPart.push({ status: "done", seconds: found.seconds, ...found.result });
  }
  const markedPart = models.map((address): MarkedCell => {
    const own = marked.get(JSON.stringify(address));
    return own === undefined
      ? { ...absent({ kind: "marked-model", ...address }), ...address }
      : markedPartOf(own, judging, observe.pictures);
  });
  const cannot = new Map(skipped.map(({ address, reason }) => [addressKey(address), reason]));
  const attacks: AttackCell[] = [];
  for (const address of attackAddresses(spec)) {
    const { subject, seed, remover, budget } = address;
    const where = { subject, seed, remover, fraction: budgets[budget] ?? 0 };
    const reason = cannot.get(addressKey(address)) ?? impossible(failureOf(address));
    const own = marked.get(JSON.stringify(markedBy(spec, address)));
    const done = own === undefined ? undefined : await attackPartOf(spec, cells, address, own, judging);
    if (done !== undefined) attacks.push({ ...done, ...where });
    else if (reason !== undefined) attacks.push({ status: "skipped", ...where, reason });
    else attacks.push({ ...absent(address), ...where });
  }
  const keysChecked = [...marked.values()].every(
    ({ check, address }) => check !== undefined || failureOf({ kind: "key-check", ...address }) !== undefined,
  );
  const makes = makesModels(spec);
  const { id, title } = spec.architecture;
  return {
    statement: spec.statement,
    title: spec.title,
    complete:
      [...nullPart, ...markedPart, ...attacks].every(({ status }) => status !== "missing") &&
      (nullModels.length === 0 || keysChecked),
    decision,
    architecture: makes ? { id, title, parameters: parameterCount(spec.architecture, spec.dataset) } : null,
    training: makes ? { ...spec.training } : null,
    pictures: picturesOf(spec),
    subjects: subjects.map(subjectSummary),
    removers: removers.map(({ name, chosen: { id: method, needs, baseline, ignoresModel, options } }) => {
      const { summary = "", paper = "" } = removalMethods.find((each) => each.id === method) ?? {};
      return { name, method, summary, paper, needs: [...needs], baseline, ignoresModel, options: { ...options } };
    }),
    budgets: [...budgets],
    seeds: [...seeds],
    observe: { ...observe },
    empiricalNull: judging.empiricalNull,
    nullModels: nullPart,
    marked: markedPart,
    attacks,
  };
}

/** Every attack, in the order of the document. */
function attackAddresses({ subjects, removers, budgets, seeds }: KnownSpec): AttackAddress[] {
  return [...subjects.keys()].flatMap((subject) =>
    [...removers.keys()].flatMap((remover) =>
      [...budgets.keys()].flatMap((budget) =>
        seeds.map((seed): AttackAddress => ({ kind: "attack", subject, seed, remover, budget })),
      ),
    ),
  );
}

async function findMarked(
  { subjects }: KnownSpec,
  cells: FoundCells,
  address: MarkedAddress,
): Promise<Marked | undefined> {
  const found = await cells.marked(address);
  const subject = subjects[address.subject];
  if (found === undefined || subject === undefined) return undefined;
  const key = subject.kind === "given" ? subject.key : await loadKey(found.paths);
  return { address, found, key, check: (await cells.keyCheck(address))?.result };
}

/** Nobody has computed it, or it failed when it was tried last. */
function absentCell(failure: Failure | undefined) {
  if (failure === undefined) return { status: "missing" } as const;
  return { status: "failed", reason: failure.reason, mayPass: failure.code !== "numeric" } as const;
}

/** What is not of this kind of model, or of this much data, can never be tried. */
function impossible(failure: Failure | undefined): string | undefined {
  return CANNOT_BE_TRIED.has(failure?.code) ? failure?.reason : undefined;
}

const CANNOT_BE_TRIED = new Set<string | undefined>([
  "usage",
  "bad-model",
  "unsupported-operator",
  "bad-data",
  "bad-key",
]);

function markedPartOf(marked: Marked, judging: Judging, withPictures: boolean): MarkedCell {
  const { address, found, key, check } = marked;
  const { triggers, heldOutTriggers, modelSha256, keySha256, epochs, measured, atChance, pictures } = found.result;
  return {
    status: "done",
    ...address,
    triggers,
    heldOutTriggers,
    modelSha256,
    keySha256,
    epochs,
    measured,
    atChance: atChance ?? false,
    verdict: verdictBefore(marked, judging),
    seconds: found.seconds,
    onNullModels: (check?.innocents ?? []).map(({ triggers: answered, placebos, ...innocent }) => ({
      ...innocent,
      // Cells from before kept no placebos; without them the key's own tests cannot be drawn.
      ...(placebos === undefined && key.placebos !== undefined
        ? {}
        : { judgement: inBrief(judge(key, { triggers: answered, placebos }, undefined, judging)) }),
    })),
    pictures: withPictures ? pictures : [],
  };
}

/** What the marked model itself shows; that of its cell was drawn at the default level, and knew no null models. */
function verdictBefore({ found, key, check }: Marked, judging: Judging): Verdict {
  const answers = check?.owner ?? found.result.answers;
  if (answers !== undefined) return judge(key, answers, check, judging);
  const { verdict } = found.result;
  return { ...verdict, alpha: judging.alpha, owned: verdict.pValue <= judging.alpha };
}

type DonePart = Omit<Extract<AttackCell, { readonly status: "done" }>, "subject" | "seed" | "remover" | "fraction">;

async function attackPartOf(
  { decision, observe }: KnownSpec,
  cells: FoundCells,
  address: AttackAddress,
  marked: Marked,
  judging: Judging,
): Promise<DonePart | undefined> {
  const found = await cells.attack(address);
  if (found === undefined) return undefined;
  const { key, check } = marked;
  const { images, measured, atChance, epochs, seconds, modelSha256, answers, reactivated } = found.result;
  const judgement = inBrief(judge(key, answers, check, judging));
  const drop = marked.found.result.measured.accuracy - measured.accuracy;
  const shownBefore = verdictBefore(marked, judging).owned;
  const followed = reactivated && {
    measured: reactivated.measured,
    judgement: inBrief(judge(key, reactivated.answers, check, judging)),
    seconds: reactivated.seconds,
  };
  return {
    status: "done",
    images,
    measured,
    judgement,
    accuracyDrop: drop,
    outcome: outcomeOf({ shownBefore, shown: judgement.owned, drop }, decision),
    atChance,
    epochs: epochs.length - 1,
    ...(observe.everyEpoch ? { curve: epochs } : {}),
    seconds,
    modelSha256,
    ...defined({ reactivated: followed }),
  };
}

function judge(key: Key, answers: Answers, check: KeyCheckResult | undefined, judging: Judging): Verdict {
  const { triggers, placebos } = asArrays(answers);
  const nullModels = judging.empiricalNull ? check?.innocents.map((each) => each.triggers) : undefined;
  const beside = nullModels === undefined ? { placebos } : { nullModels };
  return verifyAnswers(key, { triggers, ...defined(beside) }, { alpha: judging.alpha, madeHere: true });
}

function subjectSummary(subject: KnownSubject): SubjectSummary {
  const id = subject.kind === "made" ? subject.mark.id : subject.key.scheme;
  const { summary = "", paper = "" } = markSchemes.find((each) => each.id === id) ?? {};
  const about = { name: subject.name, mark: id, summary, paper };
  if (subject.kind === "made") return { kind: "made", ...about, options: { ...subject.mark.options } };
  const { files, modelSha256, parameters, key, keySha256 } = subject;
  return {
    kind: "given",
    ...about,
    options: { ...key.options },
    model: { name: files.model, sha256: modelSha256, parameters },
    key: { name: files.key, sha256: keySha256, madeForThisModel: key.modelSha256 === modelSha256 },
  };
}

function picturesOf(spec: KnownSpec): ExperimentDocument["pictures"] {
  const needed = picturesNeeded(marksOf(spec));
  const hashed = (name: "unrelated" | "abstract") => {
    const sha256 = needed[name] ? imagesSha256(spec[name]) : null;
    return sha256 === null ? {} : { [name]: sha256 };
  };
  return { ...hashed("unrelated"), ...hashed("abstract") };
}
