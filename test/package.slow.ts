/**
 * @file The package as strangers get it: packed, installed from its tarball into an empty project, imported, compiled
 * against, called from the command line. Needs the npm registry for what Wildmark depends on.
 */

import { execFile } from "node:child_process";
import { copyFile, cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { compile, type Ran, root, run, strictConsumer } from "./library.js";

/**
 * What is compiled is small (0.65 MB), and so are the documents with their pictures and reports (1.1 MB); a file that
 * came along by mistake (weights, data) would be larger than what is left.
 */
const LARGEST_PACKAGE = 2_000_000;

const PAPERS = ["CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "README.md"];

const manifest = z.object({ version: z.string(), devDependencies: z.record(z.string(), z.string()) });
const packed = z
  .array(
    z.object({
      filename: z.string(),
      size: z.number(),
      unpackedSize: z.number(),
      files: z.array(z.object({ path: z.string() })),
    }),
  )
  .length(1);

const folder = await mkdtemp(join(tmpdir(), "wildmark-package-"));
afterAll(() => rm(folder, { recursive: true, force: true }));

const reachable = await npm(folder, ["view", "zod", "version", "--fetch-retries=0"]).then(
  () => true,
  () => false,
);
if (!reachable)
  console.warn("SKIPPED: the npm registry is out of reach, so that nobody has tried whether the package installs.");

let paths: readonly string[];
let tarball: string;
let version: string;

beforeAll(async () => {
  version = manifest.parse(JSON.parse(await readFile(join(root, "package.json"), "utf8"))).version;
  // A build of its own: what an earlier one left in dist/ is not what is asked about.
  const stage = join(folder, "stage");
  await mkdir(stage);
  for (const paper of ["package.json", ...PAPERS]) await copyFile(join(root, paper), join(stage, paper));
  await cp(join(root, "docs"), join(stage, "docs"), { recursive: true });
  const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
  await run(root, process.execPath, [tsc, "-p", "tsconfig.build.json", "--outDir", join(stage, "dist")]);
  const { stdout } = await npm(stage, ["pack", "--json", "--pack-destination", folder]);
  const [{ filename, size, unpackedSize, files } = { filename: "", size: 0, unpackedSize: 0, files: [] }] =
    packed.parse(JSON.parse(stdout));
  paths = files.map(({ path }) => path);
  tarball = join(folder, filename);
  console.log(`${filename}: ${size} bytes, ${unpackedSize} unpacked, ${files.length} files`);
  expect(size).toBeLessThan(LARGEST_PACKAGE);
});

test("the package holds what was compiled and the papers; no tests, no fixtures", () => {
  const compiled = paths.filter((path) => path.startsWith("dist/"));
  const papers = paths.filter((path) => !path.startsWith("dist/") && !path.startsWith("docs/"));
  expect(papers.toSorted()).toEqual([...PAPERS, "package.json"]);
  for (const path of paths.filter((each) => each.startsWith("docs/"))) {
    expect(path).toMatch(/\.md$|^docs\/images\/[^/]+\.png$|\/report\.html$|\/result\.json$/);
  }
  for (const path of compiled) {
    expect(path).toMatch(/\.(js|d\.ts)$/);
    expect(path).not.toMatch(/\.test\.|\/testing\/|\/fixtures\//);
  }
  expect(compiled).toEqual(expect.arrayContaining(["dist/index.js", "dist/index.d.ts", "dist/cli/main.js"]));
});

test("the README that strangers see leads to files that they have", async () => {
  const text = await readFile(join(root, "README.md"), "utf8");
  const targets = [...text.matchAll(/\]\(([^)#:]+)\)/g)].map(([, target]) => target);
  expect(targets.length).toBeGreaterThan(4);
  expect(targets.filter((target) => target === undefined || !paths.includes(target))).toEqual([]);
});

test.runIf(reachable)(
  "installs as the documents say, and works from ESM, TypeScript, CommonJS and the command line",
  async () => {
    const project = await emptyProject("by-hand");
    const { devDependencies } = manifest.parse(JSON.parse(await readFile(join(root, "package.json"), "utf8")));
    const types = `@types/node@${devDependencies["@types/node"]}`;
    await npm(project, ["install", "--ignore-scripts", "--no-audit", "--no-fund", tarball, types]);

    await writeFile(join(project, "program.ts"), PROGRAM);
    await writeFile(join(project, "tsconfig.json"), JSON.stringify(strictConsumer));
    await compile(project);
    const { stdout } = await run(project, process.execPath, ["program.js"]);
    expect(z.record(z.string(), z.unknown()).parse(JSON.parse(stdout))).toEqual({
      version,
      works: true,
      owned: true,
      innocent: false,
      attacks: ["done", "done"],
      report: true,
    });

    await writeFile(join(project, "old.cjs"), 'console.log(typeof require("wildmark").loadModel);\n');
    expect((await run(project, process.execPath, ["old.cjs"])).stdout).toBe("function\n");

    const help = await run(project, "npx", ["--no-install", "wildmark", "--help"]);
    expect(help.stdout).toContain("Usage: wildmark");
    expect((await run(project, "npx", ["--no-install", "wildmark", "--version"])).stdout).toContain(version);
  },
);

test.runIf(reachable)(
  "installs where scripts run, with ONNX Runtime's download switched off as the documents say",
  async () => {
    const project = await emptyProject("with-scripts");
    await writeFile(join(project, ".npmrc"), "ignore-scripts=false\nonnxruntime-node-install=skip\n");
    await npm(project, ["install", "--no-audit", "--no-fund", tarball]);
    const code =
      'import { newModel, findArchitecture } from "wildmark"; console.log(typeof newModel, ' +
      'findArchitecture("lenet5").id);';
    expect((await run(project, process.execPath, ["--input-type=module", "--eval", code])).stdout).toBe(
      "function lenet5\n",
    );
  },
);

/** What a newcomer tries, on tiny data: the audit's worker threads must find their files in the package too. */
const PROGRAM = `
import { audit, embed, loadDataset, renderReport, train, verify, WILDMARK_VERSION, type Verdict } from "wildmark";

const dataset = await loadDataset("digits", { limits: { train: 1000, test: 200 } });
const { model, accuracy } = await train({ dataset, training: { epochs: 10, batch: 32 } });
const options = { triggers: 30, heldOut: 10 };
const marked = await embed({ model, dataset, scheme: "content", options, training: { epochs: 6, batch: 32 }, seed: 1 });
const { key } = marked;
const { owned }: Verdict = await verify({ model: marked.model, key });
const { owned: innocent } = await verify({ model, key });
const result = await audit({ model: marked.model, key, dataset, methods: ["wild"], baselines: false, budgets: [0.1], epochs: 1, jobs: 2 });
const attacks = result.attacks.map(({ status }) => status);
const report = (await renderReport(result)).startsWith("<!doctype html>");
console.log(JSON.stringify({ version: WILDMARK_VERSION, works: accuracy > 0.5, owned, innocent, attacks, report }));
`;

async function emptyProject(name: string): Promise<string> {
  const project = await mkdtemp(join(folder, `${name}-`));
  await writeFile(join(project, "package.json"), JSON.stringify({ name, private: true, type: "module" }));
  return project;
}

/** npm as a stranger runs it: without what this repository's settings told the npm that runs these tests. */
function npm(where: string, words: readonly string[]): Promise<Ran> {
  const { npm_config_ignore_scripts: _, npm_config_local_prefix: __, npm_package_json: ___, ...env } = process.env;
  return promisify(execFile)("npm", [...words], { cwd: where, env, maxBuffer: 2 ** 26 });
}
