/**
 * @file Wildmark from TypeScript: the public API (docs/library.md).
 *
 * ```ts
 * import { embed, loadDataset, remove, verify } from "wildmark";
 *
 * const dataset = await loadDataset("digits");
 * const { model, key } = await embed({ dataset, scheme: "content" });
 * const cleaned = await remove({ model, dataset, method: "wild", options: { metric: "js" }, fraction: 0.1 });
 * const verdict = await verify({ model: cleaned.model, key });
 * ```
 *
 * Models, keys and data are plain immutable values. Failures that Wildmark foresees are `WildmarkError`s with a stable
 * `code`. Accuracies and retentions are shares in [0, 1].
 */

/** The schema library that options are written in: a record must use the very one that checks it. */
export { z } from "zod";
export { type ErrorCode, WildmarkError } from "./core/errors.js";
export { type Progress, silent } from "./core/progress.js";
export { type RandomStream, randomStream } from "./core/random.js";
export { WILDMARK_VERSION } from "./core/version.js";
export { augmentedView } from "./data/augment.js";
export { bestReading, type ReadingScore, type ReadingScores } from "./data/best-reading.js";
export type { RaceOptions as BestReadingOptions } from "./data/reading-race.js";
export {
  copyPixels,
  type Dataset,
  type ImageShape,
  type Images,
  type LabelledImages,
  makeDataset,
  select,
} from "./data/dataset.js";
export { imageFeed } from "./data/feed.js";
export { fetchDataset } from "./data/fetch.js";
export { type LoadDataOptions, loadData as loadDataset } from "./data/load.js";
export { inMemory, type PixelSource } from "./data/pixels.js";
export { datasets, findUnrelated, type LoadedDataset, loadImages } from "./data/registry.js";
export { nestedSubset } from "./data/subset.js";
export { loadUnrelated, type UnrelatedOptions } from "./data/unrelated.js";
export { cleanView, erasedView, type View } from "./data/views.js";
export { type ExperimentDocument, experimentSchema } from "./experiments/document.js";
export { type ResultDocument, readDocument, readExperimentDocument } from "./experiments/documents.js";
export {
  type AuditCall,
  audit,
  type CertifyCall,
  certify,
  type EmbedOptions,
  type EmbedTraining,
  type EvaluateOptions,
  type Evaluation,
  embed,
  evaluate,
  loadModel,
  type ReproduceCall,
  type RemoveOptions,
  remove,
  reproduce,
  type ScanCall,
  saveModel,
  scan,
  type TrainingChoices,
  type TrainOptions,
  train,
  type VerifyCall,
  verify,
} from "./api.js";
export type { MarkedModel } from "./tasks/mark-model.js";
export { measure, type Yardstick, yardstickOf } from "./tasks/measure.js";
export type { BetterReading } from "./tasks/reading.js";
export type { CleanedMark, CleanedModel } from "./tasks/remove-mark.js";
export { type Looked, type Scan, type ScanDetector, scanDetectors, UNSEEN } from "./tasks/scan-model.js";
export type { GraphDetector, Subject as ScanSubject } from "./detection/detector.js";
export type { Finding, Level } from "./detection/finding.js";
export { documentOf, type ExperimentOptions, runExperiment } from "./experiments/run.js";
export type { ExperimentSpec, Subject } from "./experiments/spec.js";
export { type AuditChoices, auditSpec } from "./experiments/statements/audit.js";
export { type ReproduceChoices, reproduceSpec } from "./experiments/statements/reproduce.js";
export type { EpochRecord, Measurement } from "./tasks/records.js";
export { keeping, openCheckpoint, type RunCheckpoint } from "./tasks/checkpoint.js";
export type { RunOptions } from "./tasks/run-options.js";
export type { ContinuedModel, TrainedModel } from "./tasks/train-model.js";
export { type VerdictDocument, verdictDocumentSchema } from "./experiments/verdict-result.js";
export { type Recipe, recipeFor } from "./models/recipes.js";
export { type Architecture, architectures, findArchitecture, newModel, parameterCount } from "./models/registry.js";
export { type Classifier, findClassifier } from "./onnx/classifier.js";
export { describeModel, type ModelDescription } from "./onnx/describe.js";
export type { Head } from "./onnx/head.js";
export { decodeModel, encodeModel, type Model, withHead, withPreprocessing } from "./onnx/model.js";
export type { Preprocessing, PreprocessingSource } from "./onnx/preprocessing.js";
export { plausibleReadings, type Reading, readAs } from "./onnx/readings.js";
export type { Certificate } from "./ownership/certify.js";
export { type Commitment, commitToKey, requireCommitment } from "./ownership/commitment.js";
export type { Key } from "./ownership/key.js";
export { readKey, readKeyBytes, writeKey } from "./ownership/key-file.js";
export { combineVerdicts, type JointVerdict, type NamedVerdict } from "./experiments/combine-verdicts.js";
export { type BaseData, drawTriggers } from "./ownership/draw-key.js";
export { requireRegenerable } from "./ownership/regenerate.js";
export { strangersKeys } from "./ownership/strangers.js";
export { modelSuspect, NOT_ASKED, REFUSED, type Suspect } from "./ownership/suspect.js";
export { checkKey, describeKeyCheck, type KeyCheck, type KeyCheckOptions } from "./ownership/key-check.js";
export { type ChosenElsewhere, type DrawnElsewhere, makeKeyElsewhere } from "./ownership/key-elsewhere.js";
export {
  type OpenedDocument,
  type OpenedEvidence,
  type OpenedTriggers,
  openedEvidence,
  openTriggers,
  requireOpened,
} from "./ownership/opened-triggers.js";
export { describeVerdict, type Verdict } from "./ownership/verdict.js";
export { smallestPValue, verifyAnswers } from "./ownership/verify.js";
export { verifySuspect } from "./ownership/verify-model.js";
export type { Attack, RemovalMethod } from "./removal/method.js";
export {
  type ChosenMethod,
  findMethod,
  type MethodId,
  type OptionsOfMethod,
  register as defineMethod,
  removalMethods,
} from "./removal/registry.js";
export { type Tuning as MethodTuning, tune, tuningShape } from "./removal/tuning.js";
export { type Findings, findingsOf } from "./report/findings/findings.js";
export { headline } from "./report/sentences/headline.js";
export { warnings } from "./report/sentences/remarks.js";
export { renderReport } from "./report/render.js";
export type { Device, RuntimeOptions } from "./runtime/session.js";
export type { Autotuning } from "./runtime/autotuning/mode.js";
/** The loop below `train`, `embed` and `remove`: any objective, optimiser and schedule. */
export { type AddedGradient, type Feed, type TrainedEpoch, type TrainingPlan, trainEpochs } from "./training/epochs.js";
export { type CompiledGradient, compileGradient, type GradientPlan } from "./training/gradient.js";
export { crossEntropyObjective, type Objective } from "./training/objective.js";
export { type Averaging, averagingSchema } from "./training/averages.js";
export { type Optimizer, optimizerSchema } from "./training/optimizer.js";
export { type Schedule, scheduleSchema } from "./training/schedule.js";
export type { WeightRules } from "./training/weight-rules.js";
export {
  type ChosenMark,
  findMark,
  type MarkId,
  markSchemes,
  type OptionsOfMark,
  register as defineMark,
} from "./watermarks/registry.js";
export type { MarkScheme, OwnerData, TriggerSet } from "./watermarks/scheme.js";
