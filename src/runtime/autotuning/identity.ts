/**
 * @file What a measured choice holds for: the work, and the machine and software that did it.
 *
 * Everything that may change which lowering is quickest stands in it, so that a choice is never taken for another's.
 * ONNX Runtime does not say which GPU it uses: a cache that moves between GPUs in one machine has to be thrown away by
 * hand.
 */

import { createHash } from "node:crypto";
import { arch, availableParallelism, cpus, platform } from "node:os";
import { z } from "zod";
import { WILDMARK_VERSION } from "../../core/version.js";
import { describeNode, type Node } from "../../onnx/graph.js";
import { nchwcBlock } from "../lowering/nchwc-probe.js";
import { runtimeVersion } from "../onnxruntime.js";
import { type Device, type RuntimeOptions, threadsFromEnvironment } from "../options.js";
import { defined } from "../../core/defined.js";

export const identitySchema = z.strictObject({
  /** Of the primitive. */
  operator: z.string(),
  /** Shapes and windows: all that the primitive's node says, names sorted. */
  attributes: z.record(z.string(), z.union([z.int(), z.array(z.int())])),
  /** What there was to choose from, the static choice first. */
  lowerings: z.array(z.string()).min(1),
  device: z.string(),
  /** Channels of a block of the machine's nchwc convolutions; null where there are none. */
  block: z.int().nullable(),
  /** Threads of one operator; null where ONNX Runtime decides. */
  threads: z.int().nullable(),
  cores: z.int(),
  cpu: z.string(),
  platform: z.string(),
  onnxruntime: z.string(),
  /** A lowering of the same name may be another in another version. */
  wildmark: z.string(),
});

export type ChoiceIdentity = z.infer<typeof identitySchema>;

/** Where a graph is to run, as far as lowerings care. */
export interface Target extends RuntimeOptions {
  readonly device: Device;
  /** Channels of a block of this machine's nchwc convolutions; absent: none are used. */
  readonly block?: number;
  /** Names of kernels that are not offered. */
  readonly without?: readonly string[];
}

/** On the CPU with ONNX Runtime's nchwc layout, where this machine has it. */
export async function targetOf(options: RuntimeOptions): Promise<Target> {
  const { device = "cpu" } = options;
  const block = device === "cpu" ? await nchwcBlock() : undefined;
  const without = options.winograd === false ? ["winograd"] : undefined;
  return { ...options, device, ...defined({ block, without }) };
}

/** @param lowerings the names of the node's candidates, the static choice first. */
export function identityOf(node: Node, lowerings: readonly string[], target: Target): ChoiceIdentity {
  return {
    operator: node.opType,
    attributes: numbersOf(node),
    lowerings: [...lowerings],
    device: target.device,
    block: target.block ?? null,
    threads: target.threads ?? threadsFromEnvironment() ?? null,
    cores: availableParallelism(),
    cpu: cpus()[0]?.model.trim() || "unknown",
    platform: `${platform()} ${arch()}`,
    onnxruntime: runtimeVersion(),
    wildmark: WILDMARK_VERSION,
  };
}

/** Tells identities apart, and fits into a file's name. */
export function identityKey(identity: ChoiceIdentity): string {
  const hash = createHash("sha256")
    .update(JSON.stringify(identitySchema.parse(identity)))
    .digest("hex");
  return `${identity.operator}-${hash.slice(0, 32)}`;
}

function numbersOf(node: Node): ChoiceIdentity["attributes"] {
  const names = Object.keys(node.attributes).toSorted();
  return Object.fromEntries(
    names.map((name) => {
      const attribute = node.attributes[name];
      if (attribute?.kind === "int") return [name, attribute.value];
      if (attribute?.kind === "ints") return [name, [...attribute.value]];
      throw new Error(`${describeNode(node)}: a primitive's attributes are whole numbers; ${name} is not`);
    }),
  );
}
