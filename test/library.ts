/**
 * @file Examples in documents: found, type-checked as a consumer's compiler would, and run against the built package.
 */

import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

export const root = fileURLToPath(new URL("..", import.meta.url));

/** What a strict consumer's project says to its compiler; types of the packages it imports are checked as well. */
export const strictConsumer = {
  compilerOptions: {
    target: "ES2022",
    module: "NodeNext",
    lib: ["ES2023"],
    types: ["node"],
    strict: true,
    noUncheckedIndexedAccess: true,
    exactOptionalPropertyTypes: true,
  },
  include: ["*.ts"],
};

/** The TypeScript blocks of a document, in order. */
export async function examplesOf(document: string): Promise<string[]> {
  const text = await readFile(join(root, document), "utf8");
  return [...text.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code = ""]) => code);
}

/** An empty ESM project in which `wildmark` is this package, as it is built. */
export async function consumerProject(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "wildmark-consumer-"));
  await mkdir(join(folder, "node_modules"));
  await symlink(root, join(folder, "node_modules", "wildmark"), "dir");
  await symlink(join(root, "node_modules", "@types"), join(folder, "node_modules", "@types"), "dir");
  await writeFile(join(folder, "package.json"), JSON.stringify({ type: "module" }));
  await writeFile(join(folder, "tsconfig.json"), JSON.stringify(strictConsumer));
  return folder;
}

/** Compiles the project's `*.ts` to JavaScript beside them; throws what the compiler says where it objects. */
export async function compile(folder: string): Promise<void> {
  const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
  await run(folder, process.execPath, [tsc, "-p", folder]).catch((error: unknown) => {
    throw new Error(`the examples do not compile:\n${outputOf(error)}`);
  });
}

export interface Ran {
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program in a folder until it ends; rejects where it fails. */
export function run(folder: string, program: string, words: readonly string[]): Promise<Ran> {
  return promisify(execFile)(program, [...words], {
    cwd: folder,
    env: { ...process.env, WILDMARK_THREADS: "1" },
    maxBuffer: 2 ** 26,
  });
}

function outputOf(error: unknown): string {
  return error instanceof Error && "stdout" in error ? `${error.message}\n${String(error.stdout)}` : String(error);
}
