/**
 * @file Writing whole or not at all: on a real disk, and on one that is injected to fail half way.
 */

import { type FileHandle, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { WildmarkError } from "./errors.js";
import { readFileBounded, refuseLfsPointerAt, writeError, writeFileAtomic, writeFilesAtomic } from "./files.js";

/** What the next calls of these functions do instead; undefined: the real thing. */
const injected = vi.hoisted(() => ({
  beforeSync: undefined as (() => void) | undefined,
  link: undefined as (() => void) | undefined,
  rename: undefined as ((to: string) => void) | undefined,
}));

vi.mock("node:fs/promises", async (original) => {
  const real = await original<typeof import("node:fs/promises")>();
  return {
    ...real,
    open: async (...args: Parameters<typeof real.open>): Promise<FileHandle> => {
      const handle = await real.open(...args);
      const sync = handle.sync.bind(handle);
      handle.sync = async () => {
        injected.beforeSync?.();
        return sync();
      };
      return handle;
    },
    rename: async (...args: Parameters<typeof real.rename>) => {
      injected.rename?.(String(args[1]));
      return real.rename(...args);
    },
    link: async (...args: Parameters<typeof real.link>) => {
      injected.link?.();
      return real.link(...args);
    },
  };
});

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const systemError = (code: string): Error => Object.assign(new Error(`${code}: injected`), { code });

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "wildmark-files-"));
});
afterEach(async () => {
  injected.beforeSync = undefined;
  injected.link = undefined;
  injected.rename = undefined;
  await rm(folder, { recursive: true, force: true });
});

async function refusal(work: Promise<unknown>): Promise<WildmarkError> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof WildmarkError)) throw new Error(`expected a WildmarkError, found ${String(error)}`);
  return error;
}

test("a file is written whole, with its mode, and nothing stays beside it", async () => {
  const path = join(folder, "a.key");
  await writeFileAtomic(path, bytes("hello"), { mode: 0o600 });
  expect(await readFile(path, "utf8")).toBe("hello");
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect((await stat(path)).nlink).toBe(1);
  expect(await readdir(folder)).toEqual(["a.key"]);
});

test("an existing file is kept without force and replaced with it", async () => {
  const path = join(folder, "a");
  await writeFile(path, "old");
  const error = await refusal(writeFileAtomic(path, bytes("new")));
  expect(error.code).toBe("cannot-write");
  expect(error.message).toContain("already exists");
  expect(error.hint).toContain("--force");
  expect(await readFile(path, "utf8")).toBe("old");
  await writeFileAtomic(path, bytes("new"), { force: true });
  expect(await readFile(path, "utf8")).toBe("new");
  expect(await readdir(folder)).toEqual(["a"]);
});

test("of many that write the same new path exactly one wins", async () => {
  const path = join(folder, "a");
  const writers = Array.from({ length: 12 }, (_, i) => writeFileAtomic(path, bytes(`writer ${i}`)));
  const ends = await Promise.allSettled(writers);
  const winners = ends.flatMap((end, i) => (end.status === "fulfilled" ? [i] : []));
  expect(winners).toHaveLength(1);
  expect(await readFile(path, "utf8")).toBe(`writer ${winners[0]}`);
  for (const end of ends) if (end.status === "rejected") expect(end.reason).toMatchObject({ code: "cannot-write" });
  expect(await readdir(folder)).toEqual(["a"]);
});

test("a file system without hard links still refuses to overwrite", async () => {
  injected.link = () => {
    throw systemError("EPERM");
  };
  const path = join(folder, "a");
  await writeFileAtomic(path, bytes("first"));
  expect(await readFile(path, "utf8")).toBe("first");
  await refusal(writeFileAtomic(path, bytes("second")));
  expect(await readFile(path, "utf8")).toBe("first");
  expect(await readdir(folder)).toEqual(["a"]);
});

test("a disk that fills half way leaves the old file and no temporary one", async () => {
  injected.beforeSync = () => {
    throw systemError("ENOSPC");
  };
  const path = join(folder, "a");
  const fresh = await refusal(writeFileAtomic(path, bytes("new")));
  expect(fresh).toMatchObject({ code: "cannot-write" });
  expect(fresh.message).toContain("the disk is full");
  expect(await readdir(folder)).toEqual([]);
  await writeFile(path, "old");
  await refusal(writeFileAtomic(path, bytes("new"), { force: true }));
  expect(await readFile(path, "utf8")).toBe("old");
  expect(await readdir(folder)).toEqual(["a"]);
});

test("a missing folder, a file in the place of a folder, and a folder in the place of a file are named", async () => {
  const missing = await refusal(writeFileAtomic(join(folder, "no", "a"), bytes("x")));
  expect(missing.message).toContain("no such file or folder");
  expect(missing.hint).toBe(`make the folder ${join(folder, "no")} first`);
  await writeFile(join(folder, "file"), "");
  expect((await refusal(writeFileAtomic(join(folder, "file", "a"), bytes("x")))).code).toBe("cannot-write");
  await mkdir(join(folder, "folder"));
  const taken = await refusal(writeFileAtomic(join(folder, "folder"), bytes("x"), { force: true }));
  expect(taken.message).toContain("found a folder or a device");
});

test("a device is never replaced, even with force", async () => {
  const error = await refusal(writeFileAtomic("/dev/null", bytes("x"), { force: true }));
  expect(error.code).toBe("cannot-write");
  expect((await stat("/dev/null")).isCharacterDevice()).toBe(true);
});

test("force writes through a symbolic link and keeps the link", async () => {
  await writeFile(join(folder, "real"), "old");
  await symlink("real", join(folder, "link"));
  await writeFileAtomic(join(folder, "link"), bytes("new"), { force: true });
  expect(await readFile(join(folder, "real"), "utf8")).toBe("new");
  await symlink("nowhere", join(folder, "dangling"));
  await refusal(writeFileAtomic(join(folder, "dangling"), bytes("x")));
});

test("permission denied is said plainly", () => {
  const error = writeError("out/model.onnx", systemError("EACCES"));
  expect(error.code).toBe("cannot-write");
  expect(error.message).toBe("out/model.onnx: cannot be written, permission denied");
});

test("reading is bounded and says what was expected", async () => {
  const path = join(folder, "a");
  await writeFile(path, "12345");
  expect(await readFileBounded(path, { what: "a key", maxBytes: 5 })).toEqual(bytes("12345"));
  expect(await refusal(readFileBounded(path, { what: "a key", maxBytes: 4 }))).toMatchObject({ code: "bad-file" });
  const missing = await refusal(readFileBounded(join(folder, "b"), { what: "a key", maxBytes: 4 }));
  expect(missing.message).toContain("expected a key, no such file or folder");
  expect((await refusal(readFileBounded(folder, { what: "a key", maxBytes: 4 }))).code).toBe("bad-file");
  expect((await refusal(readFileBounded("/dev/zero", { what: "a key", maxBytes: 4 }))).code).toBe("bad-file");
});

test("a Git LFS pointer is named as one, whatever it stands for", async () => {
  const path = join(folder, "key");
  const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${"0".repeat(64)}\nsize 12345\n`;
  await writeFile(path, pointer);
  const readings = [
    () => readFileBounded(path, { what: "a key", maxBytes: 10_000 }),
    () => refuseLfsPointerAt(path, "a key"),
  ];
  for (const reading of readings) {
    const error = await refusal(reading());
    expect(error).toMatchObject({
      code: "bad-file",
      message: `${path}: expected a key, found a Git LFS pointer to it`,
    });
    expect(error.hint).toContain("git lfs pull");
  }
  // A text that only begins so.
  await writeFile(path, pointer.padEnd(2000));
  expect((await readFileBounded(path, { what: "a key", maxBytes: 10_000 })).length).toBe(2000);
  await refuseLfsPointerAt(path, "a key");
  await refuseLfsPointerAt(join(folder, "missing"), "a key");
});

describe("files that belong together", () => {
  const contents = async () => {
    const names = (await readdir(folder)).toSorted();
    return Promise.all(
      names.map(async (name) => [name, await readFile(join(folder, name), "utf8").catch(() => "folder")]),
    );
  };
  const change = (name: string, text: string | undefined) => {
    return { path: join(folder, name), bytes: text === undefined ? undefined : bytes(text) };
  };

  test("are written all, with their modes", async () => {
    await writeFilesAtomic([{ ...change("key", "k"), mode: 0o600 }, change("model", "m"), change("old", undefined)]);
    expect(await contents()).toEqual([
      ["key", "k"],
      ["model", "m"],
    ]);
    expect((await stat(join(folder, "key"))).mode & 0o777).toBe(0o600);
  });

  test("leave nothing where the second cannot be written: no name, no folder", async () => {
    for (const second of ["no/model", "taken"]) {
      await writeFile(join(folder, "taken"), "other");
      expect((await refusal(writeFilesAtomic([change("key", "k"), change(second, "m")]))).code).toBe("cannot-write");
      expect(await contents()).toEqual([["taken", "other"]]);
    }
  });

  test("take their names back where the last one loses its own on the way", async () => {
    // Both are free when they are looked at; the first takes the name that the second wants.
    const twice = [change("key", "k"), change("same", "a"), change("same", "b")];
    expect((await refusal(writeFilesAtomic(twice))).message).toContain("already exists");
    expect(await contents()).toEqual([]);
  });

  test("have their old contents back with force", async () => {
    await writeFile(join(folder, "key"), "old key");
    await writeFile(join(folder, "sidecar"), "old sidecar");
    await writeFile(join(folder, "model"), "old model");
    const all = [change("key", "k"), change("sidecar", undefined), change("new", "n"), change("model", "m")];
    // With hard links and without: then old contents are kept as copies.
    for (const hasLinks of [true, false]) {
      injected.rename = (to) => {
        if (to.endsWith("model")) throw systemError("EIO");
      };
      injected.link = () => {
        if (!hasLinks) throw systemError("EPERM");
      };
      expect((await refusal(writeFilesAtomic(all, { force: true }))).code).toBe("cannot-write");
      expect(await contents()).toEqual([
        ["key", "old key"],
        ["model", "old model"],
        ["sidecar", "old sidecar"],
      ]);
    }
    injected.rename = undefined;
    await writeFilesAtomic(all, { force: true });
    expect(await contents()).toEqual([
      ["key", "k"],
      ["model", "m"],
      ["new", "n"],
    ]);
  });
});
