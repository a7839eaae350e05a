/**
 * @file The ONNX graph as plain data: what the other rooms read, derive and build.
 *
 * It is a view of what computing needs. The bytes of a user's file are kept beside it (`model.ts`), so that writing a
 * model back changes the weights and nothing else.
 */

import type { ElementType, Tensor } from "../core/tensor.js";

export type Attribute =
  | { readonly kind: "int"; readonly value: number }
  | { readonly kind: "float"; readonly value: number }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "tensor"; readonly value: Tensor }
  | { readonly kind: "ints"; readonly value: readonly number[] }
  | { readonly kind: "floats"; readonly value: readonly number[] }
  | { readonly kind: "strings"; readonly value: readonly string[] }
  /** Sub-graphs, sparse tensors, type protos: carried by the file, opaque here. */
  | { readonly kind: "opaque"; readonly what: string };

export interface Node {
  /** May be empty: names of nodes are optional in ONNX. */
  readonly name: string;
  readonly opType: string;
  /** Empty for the standard operators, otherwise such as "com.microsoft". */
  readonly domain: string;
  /** Value names; an empty string is an optional input left out. */
  readonly inputs: readonly string[];
  /** Value names; an empty string is an optional output not wanted. */
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, Attribute>>;
}

/** A dimension is a number, a name that stands for any number ("batch"), or unknown. */
export type Dim = number | string | undefined;

export interface ValueInfo {
  readonly name: string;
  /** Undefined for anything that is not a tensor (sequences, maps, strings). */
  readonly type: ElementType | undefined;
  /** Undefined when even the rank is unknown. */
  readonly dims: readonly Dim[] | undefined;
}

export interface Graph {
  readonly name: string;
  /** The values a caller must feed: initialisers that old models also list as inputs are left out. */
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  /** Topologically sorted. */
  readonly nodes: readonly Node[];
  readonly initializers: ReadonlyMap<string, Tensor>;
  /** Version of each operator set by domain; the standard one is "". */
  readonly opsets: ReadonlyMap<string, number>;
}

export function intAttribute(node: Node, name: string, fallback: number): number {
  const attribute = node.attributes[name];
  return attribute?.kind === "int" ? attribute.value : fallback;
}

export function floatAttribute(node: Node, name: string, fallback: number): number {
  const attribute = node.attributes[name];
  return attribute?.kind === "float" ? attribute.value : fallback;
}

export function stringAttribute(node: Node, name: string, fallback: string): string {
  const attribute = node.attributes[name];
  return attribute?.kind === "string" ? attribute.value : fallback;
}

export function intsAttribute(node: Node, name: string): readonly number[] | undefined {
  const attribute = node.attributes[name];
  return attribute?.kind === "ints" ? attribute.value : undefined;
}

/** "Relu", or "com.microsoft.Gelu" outside the standard domain. */
export function operatorName(node: Node): string {
  return node.domain === "" ? node.opType : `${node.domain}.${node.opType}`;
}

/** How messages call a node: its operator, and its name or first output. */
export function describeNode(node: Node): string {
  return `${operatorName(node)} node "${node.name || (node.outputs[0] ?? "?")}"`;
}
