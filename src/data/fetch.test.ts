import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { WildmarkError } from "../core/errors.js";
import type { Archive, DownloadableFile, KnownFile } from "./checksums.js";
import { type FetchProgress, fetchArchived, fetchDataset, fetchFiles } from "./fetch.js";
import { tarGz, zip } from "./testing/archives.js";

const contents = Buffer.from(Uint8Array.from({ length: 300_000 }, (_, i) => (i * i) >> 7));
const file: DownloadableFile = {
  name: "a.gz",
  bytes: contents.length,
  sha256: createHash("sha256").update(contents).digest("hex"),
  contentsSha256: "",
  contentsBytes: 0,
};

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

let folder = "";
const servers: Server[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "wildmark-fetch-"));
});

afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
  await rm(folder, { recursive: true, force: true });
});

/** A server on a free port; returns its address and the Range headers it was sent. */
async function serve(handler: Handler): Promise<{ url: string; ranges: (string | undefined)[] }> {
  const ranges: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    ranges.push(request.headers.range);
    handler(request, response);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return { url: `http://127.0.0.1:${address.port}/mirror/`, ranges };
}

/** Serves `bytes`, honouring Range. */
function ranged(bytes: Buffer): Handler {
  return (request, response) => {
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? Number.NaN);
    if (Number.isNaN(from)) {
      response.writeHead(200).end(bytes);
    } else if (from >= bytes.length) {
      response.writeHead(416).end();
    } else {
      response.writeHead(206, { "content-range": `bytes ${from}-${bytes.length - 1}/${bytes.length}` });
      response.end(bytes.subarray(from));
    }
  };
}

const plain =
  (bytes: Buffer): Handler =>
  (_, response) => {
    response.writeHead(200).end(bytes);
  };

/** Breaks the connection after `count` bytes of the first answer, then goes on as `next`. */
function dropping(count: number, next: Handler): Handler {
  let first = true;
  return (request, response) => {
    if (!first) return next(request, response);
    first = false;
    response.writeHead(200, { "content-length": contents.length });
    response.write(contents.subarray(0, count), () => setTimeout(() => response.destroy(), 20));
  };
}

const fetchIt = (mirrors: string[], more: Parameters<typeof fetchDataset>[1] = {}) =>
  fetchFiles("toy", [file], folder, { ...more, mirrors });

async function failure(promise: Promise<unknown>): Promise<WildmarkError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof WildmarkError)) throw new Error(`expected a WildmarkError, got ${error}`);
  return error;
}

async function expectSound(): Promise<void> {
  expect(await readdir(folder)).toEqual(["a.gz"]);
  expect(contents.equals(await readFile(join(folder, "a.gz")))).toBe(true);
}

describe("fetchFiles", () => {
  it("downloads, reports progress, and does not ask again", async () => {
    const { url, ranges } = await serve(ranged(contents));
    const seen: FetchProgress[] = [];
    const first = await fetchIt([url], { onProgress: (progress) => seen.push(progress) });
    await expectSound();
    expect(first).toEqual([{ path: join(folder, "a.gz"), already: false }]);
    expect(seen.at(-1)).toEqual({ file: "a.gz", received: file.bytes, total: file.bytes });
    expect((await fetchIt([url]))[0]?.already).toBe(true);
    expect(ranges).toEqual([undefined]);
  });

  it("asks for `mirror/name`, with or without a slash at the end", async () => {
    const { url } = await serve((request, response) =>
      request.url === "/mirror/a.gz" ? ranged(contents)(request, response) : response.writeHead(404).end(),
    );
    await fetchIt([url.slice(0, -1)]);
    await expectSound();
  });

  it.each([
    ["that honours Range", ranged(contents)],
    ["that ignores Range", plain(contents)],
  ])("continues what an earlier attempt left, from a server %s", async (_, handler) => {
    await writeFile(join(folder, "a.gz.part"), contents.subarray(0, 1000));
    const { url, ranges } = await serve(handler);
    await fetchIt([url]);
    await expectSound();
    expect(ranges).toEqual(["bytes=1000-"]);
  });

  it("takes a complete part without asking", async () => {
    await writeFile(join(folder, "a.gz.part"), contents);
    const { url, ranges } = await serve(plain(contents));
    await fetchIt([url]);
    await expectSound();
    expect(ranges).toEqual([]);
  });

  it.each([
    ["that honours Range", ranged(contents)],
    ["that ignores Range", plain(contents)],
  ])("takes up a connection that breaks half-way, with a server %s", async (_, next) => {
    const { url, ranges } = await serve(dropping(150_000, next));
    await fetchIt([url]);
    await expectSound();
    // What was sent last before the break may not arrive.
    expect(ranges).toEqual([undefined, expect.stringMatching(/^bytes=[1-9]\d*-$/)]);
  });

  it.each<[string, Buffer]>([
    ["another beginning", Buffer.alloc(1000, 7)],
    ["other contents of the same size", Buffer.alloc(contents.length, 7)],
    ["more bytes than the file has", Buffer.alloc(contents.length + 5, 7)],
  ])("starts once more when the part is %s", async (_, part) => {
    await writeFile(join(folder, "a.gz.part"), part);
    const { url, ranges } = await serve(ranged(contents));
    await fetchIt([url]);
    await expectSound();
    expect(ranges.at(-1)).toBeUndefined();
    expect(ranges.length).toBeLessThanOrEqual(2);
  });

  it("starts once more when the server answers with another range", async () => {
    await writeFile(join(folder, "a.gz.part"), contents.subarray(0, 1000));
    const { url } = await serve((request, response) => {
      if (request.headers.range === undefined) return plain(contents)(request, response);
      response.writeHead(206, { "content-range": "bytes 0-9/300000" }).end(contents.subarray(0, 10));
    });
    await fetchIt([url]);
    await expectSound();
  });

  it("replaces a damaged file", async () => {
    await writeFile(join(folder, "a.gz"), "damaged");
    const { url } = await serve(ranged(contents));
    expect((await fetchIt([url]))[0]?.already).toBe(false);
    await expectSound();
  });

  it.each<[string, Handler, RegExp]>([
    ["404", (_, response) => void response.writeHead(404).end(), /answered 404 Not Found/],
    ["500", (_, response) => void response.writeHead(500).end(), /answered 500/],
    ["wrong content of the right size", plain(Buffer.alloc(contents.length)), /SHA-256 differs/],
    ["a login page", plain(Buffer.from("<html>pay here</html>")), /ended after 21 of 300000 bytes/],
    ["an endless file", plain(Buffer.alloc(2_000_000)), /longer than the published 300000 bytes/],
    ["an empty answer", plain(Buffer.alloc(0)), /ended after 0 of 300000 bytes/],
  ])("goes on to the next mirror after %s, and says so when there is none", async (_, handler, message) => {
    const [bad, good] = [await serve(handler), await serve(ranged(contents))];
    const error = await failure(fetchIt([bad.url]));
    expect(error.code).toBe("network");
    expect(error.message).toMatch(message);
    expect(await readdir(folder)).not.toContain("a.gz");
    await fetchIt([bad.url, good.url]);
    await expectSound();
  });

  it("says what to do by hand when nothing listens", async () => {
    const { url } = await serve(ranged(contents));
    const server = servers.pop();
    await new Promise((resolve) => server?.close(resolve));
    const error = await failure(fetchIt([url, "no address"]));
    expect(error.code).toBe("network");
    expect(error.message).toMatch(/a\.gz could not be downloaded: .*ECONNREFUSED.*; no address is not an address/);
    expect(error.hint).toMatch(/into DIR\/toy\/ by hand .*--data-dir DIR/);
  });

  it("gives up on a server that falls silent, and keeps what came", async () => {
    const { url } = await serve((_, response) => {
      response.writeHead(200);
      response.write(contents.subarray(0, 500));
    });
    const error = await failure(fetchIt([url], { patience: 100 }));
    expect(error.code).toBe("network");
    expect(error.message).toMatch(/fell silent/);
    expect((await readFile(join(folder, "a.gz.part"))).length).toBe(500);
  });

  it("stops when told to, and continues the next time", async () => {
    const stop = new AbortController();
    const { url } = await serve((request, response) => {
      if (request.headers.range !== undefined) return ranged(contents)(request, response);
      response.writeHead(200);
      response.write(contents.subarray(0, 5000));
    });
    const error = await failure(fetchIt([url], { signal: stop.signal, onProgress: () => stop.abort() }));
    expect(error.code).toBe("interrupted");
    expect(await readdir(folder)).toEqual(["a.gz.part"]);
    await fetchIt([url]);
    await expectSound();
  });

  it("says when the cache cannot be written", async () => {
    await writeFile(join(folder, "file"), "");
    const { url } = await serve(ranged(contents));
    const error = await failure(fetchFiles("toy", [file], join(folder, "file", "below"), { mirrors: [url] }));
    expect(error.code).toBe("cannot-write");
  });
});

describe("fetchArchived", () => {
  const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
  const members = ["x.bin", "y.bin", "sibling.bin"].map((name, i) => ({ name, bytes: contents.subarray(i, i + 5000) }));
  const known = (sums: boolean): KnownFile[] =>
    members.map(({ name, bytes }) => {
      return { name, sha256: sums ? sha256(bytes) : undefined, contentsSha256: undefined, contentsBytes: bytes.length };
    });
  const inside = members.map(({ name, bytes }) => ({ name: `in/${name}`, bytes }));
  const packed = { "tar.gz": tarGz(inside), zip: zip(inside) } as const;
  const archiveOf = (kind: keyof typeof packed): Archive => {
    return { name: `all.${kind}`, kind, folder: "in", bytes: packed[kind].length, sha256: sha256(packed[kind]) };
  };
  const fetchAll = (
    kind: keyof typeof packed,
    sums: boolean,
    mirrors: string[],
    more: Parameters<typeof fetchDataset>[1] = {},
  ) =>
    fetchArchived("toy", known(sums).slice(0, 2), { archive: archiveOf(kind), files: known(sums) }, folder, {
      ...more,
      mirrors,
    });

  it.each([
    ["tar.gz", true],
    ["zip", false],
  ] as const)(
    "takes the files out of a %s (checksums known: %s), siblings too, and does not ask again",
    async (kind, sums) => {
      const { url, ranges } = await serve(ranged(packed[kind]));
      const fetched = await fetchAll(kind, sums, [url]);
      expect(fetched).toEqual(["x.bin", "y.bin"].map((name) => ({ path: join(folder, name), already: false })));
      expect((await readdir(folder)).sort()).toEqual(["sibling.bin", "x.bin", "y.bin"]);
      for (const { name, bytes } of members) expect(bytes.equals(await readFile(join(folder, name)))).toBe(true);
      expect((await fetchAll(kind, sums, [url])).map(({ already }) => already)).toEqual([true, true]);
      expect(ranges).toHaveLength(1);
    },
  );

  it("continues a broken download, replaces a damaged file, and unpacks an archive put there by hand", async () => {
    const { url, ranges } = await serve(ranged(packed["tar.gz"]));
    await writeFile(join(folder, "all.tar.gz.part"), packed["tar.gz"].subarray(0, 100));
    await fetchAll("tar.gz", true, [url]);
    expect(ranges).toEqual(["bytes=100-"]);
    await writeFile(join(folder, "x.bin"), "damaged");
    await writeFile(join(folder, "all.tar.gz"), packed["tar.gz"]);
    expect((await fetchAll("tar.gz", true, []))[0]?.already).toBe(false);
    expect(sha256(await readFile(join(folder, "x.bin")))).toBe(known(true)[0]?.sha256);
  });

  it("interrupted while it unpacks, keeps the archive", async () => {
    const { url, ranges } = await serve(ranged(packed["tar.gz"]));
    const stop = new AbortController();
    const onProgress = ({ file: name }: FetchProgress): void => void (name === "x.bin" && stop.abort());
    const error = await failure(fetchAll("tar.gz", true, [url], { signal: stop.signal, onProgress }));
    expect(error.code).toBe("interrupted");
    expect((await readdir(folder)).sort()).toEqual(["all.tar.gz", "x.bin"]);
    await fetchAll("tar.gz", true, [url]);
    expect((await readdir(folder)).sort()).toEqual(["sibling.bin", "x.bin", "y.bin"]);
    expect(ranges).toHaveLength(1);
  });

  it("says where to put the archive when there is no network", async () => {
    const error = await failure(fetchAll("zip", true, ["no address"]));
    expect([error.code, error.hint]).toEqual([
      "network",
      `without a network, put all.zip (from no address) into ${folder}; the same command then unpacks it`,
    ]);
  });

  it("keeps no file that is not the published one", async () => {
    const { url } = await serve(ranged(packed.zip));
    const wrong = known(true).map((each) => ({ ...each, sha256: "0".repeat(64) }));
    const source = { archive: archiveOf("zip"), files: wrong };
    const error = await failure(fetchArchived("toy", wrong, source, folder, { mirrors: [url] }));
    expect([error.code, error.message]).toEqual([
      "bad-file",
      expect.stringMatching(/in\/x\.bin is not the published file/),
    ]);
    expect(await readdir(folder)).toEqual(["all.zip"]);
  });
});

describe("fetchDataset", () => {
  it("never accepts files that are not MNIST's, and leaves nothing behind", async () => {
    const { url } = await serve(plain(Buffer.alloc(9_912_422)));
    const error = await failure(fetchDataset("mnist", { cacheDir: folder, mirrors: [url] }));
    expect(error.message).toMatch(/train-images-idx3-ubyte\.gz .*SHA-256 differs/);
    expect(await readdir(join(folder, "mnist"))).toEqual([]);
  });

  it("has nothing to fetch for a built-in set", async () => {
    expect((await failure(fetchDataset("digits", { cacheDir: folder }))).code).toBe("usage");
  });
});
