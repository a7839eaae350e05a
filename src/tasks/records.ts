/**
 * @file What is written down of one model on its way: what it answers, what each epoch did, what triggers look like.
 *
 * Accuracies and retentions are shares in [0, 1]; times are seconds.
 */

import { z } from "zod";

export const share = z.number().min(0).max(1);

/** What a model answers: measured from outside, by whoever runs the method. */
export const measurementSchema = z.object({
  /** Share of the untouched test set answered correctly. */
  accuracy: share,
  /** Share of the key's trained triggers answered with the key's labels. */
  retention: share,
  /** The same on triggers of the same kind that were never trained on; absent if the key holds none. */
  heldOutRetention: share.optional(),
});

/** One epoch of training, embedding or removal. Epoch 0 is the model before it. */
export const epochSchema = z.object({
  epoch: z.int().min(0),
  /** Mean of the objective over the epoch's steps; absent for epoch 0. */
  loss: z.number().optional(),
  learningRate: z.number().optional(),
  seconds: z.number().min(0),
  measured: measurementSchema.optional(),
});

/** One trigger as pictures: PNG data URIs, at the data set's own size. */
export const pictureSchema = z.object({
  trigger: z.string(),
  /** The image without the mark; absent for marks that start from no image (unrelated). */
  original: z.string().optional(),
  /** A randomly erased copy of the trigger, as the attacker's augmentation would draw it. */
  erased: z.string(),
  /** What the owner wants answered. */
  label: z.int().min(0),
  sourceLabel: z.int().min(0).optional(),
});

export type EpochRecord = z.infer<typeof epochSchema>;
export type Measurement = z.infer<typeof measurementSchema>;
export type TriggerPicture = z.infer<typeof pictureSchema>;
