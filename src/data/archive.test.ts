import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterEach, beforeEach, expect, test } from "vitest";
import { WildmarkError } from "../core/errors.js";
import { type ArchiveKind, unpack } from "./archive.js";
import { abuse } from "./testing/abuse.js";
import { type TarInput, tarGz, zip } from "./testing/archives.js";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "wildmark-archive-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const a = { name: "d/a.bin", bytes: Uint8Array.from({ length: 1000 }, (_, i) => i) };
const b = { name: "d/b.bin", bytes: new Uint8Array(512).fill(7) };
const wanted = [a, b].map(({ name, bytes }) => ({ name, maxBytes: bytes.length }));

async function contents(bytes: Uint8Array, kind: ArchiveKind): Promise<Record<string, Uint8Array>> {
  const path = join(folder, "archive");
  await writeFile(path, bytes);
  const found: Record<string, Uint8Array> = {};
  await unpack(path, kind, wanted, async (name, data) => {
    found[name] = Uint8Array.from(data);
  });
  return found;
}

const members: TarInput[] = [{ name: "d/", type: "5" }, a, { name: "d/readme", bytes: a.bytes }, b];

test.each<[ArchiveKind, Buffer]>([
  ["tar.gz", tarGz(members)],
  ["tar.gz", tarGz([{ name: "pax", type: "x", bytes: a.bytes }, ...members])],
  ["zip", zip([{ ...b, deflate: true }, { name: "x", bytes: a.bytes }, a])],
])("takes the members wanted out of a %s", async (kind, bytes) => {
  expect(await contents(bytes, kind)).toEqual({ [a.name]: a.bytes, [b.name]: b.bytes });
});

test.each<[string, ArchiveKind, Buffer, RegExp]>([
  ["a member is missing", "tar.gz", tarGz([a]), /it lacks d\/b\.bin/],
  ["a member is missing", "zip", zip([a]), /it lacks d\/b\.bin/],
  ["a member is too large", "tar.gz", tarGz([{ ...a, bytes: new Uint8Array(1001) }, b]), /takes 1001 bytes, .* 1000/],
  ["a member is too large", "zip", zip([{ ...a, bytes: new Uint8Array(1001) }, b]), /takes 1001 bytes, .* 1000/],
  ["a member comes twice", "tar.gz", tarGz([a, b, a]), /holds d\/a\.bin twice/],
  ["a name climbs out", "tar.gz", tarGz([a, { name: "d/../../b" }, b]), /would climb out/],
  ["a name climbs out", "zip", zip([a, { name: "../b", bytes: b.bytes }, b]), /\.\./],
  ["a name is absolute", "tar.gz", tarGz([{ name: "/etc/passwd" }, a, b]), /would climb out/],
  ["a member is a symbolic link", "tar.gz", tarGz([a, b, { name: "d/c", type: "2" }]), /a link or a device/],
  ["a member is a hard link", "tar.gz", tarGz([a, { name: "d/b.bin", type: "1" }]), /a link or a device/],
  ["it is a bomb", "tar.gz", tarGz([{ name: "zeros", bytes: new Uint8Array(65 << 20) }, a, b]), /unpacks to more than/],
  ["it is cut short", "tar.gz", tarGz(members).subarray(0, 300), /unexpected end of file/],
  ["it ends after a member", "tar.gz", gzipSync(gunzipSync(tarGz([a, b])).subarray(0, 2048)), /ends too soon/],
  ["it is no tar", "tar.gz", gzipSync(new Uint8Array(600).fill(65)), /no tar archive/],
  ["it is no gzip", "tar.gz", Buffer.from("<html>"), /incorrect header check/],
  ["it is no zip", "zip", Buffer.from("<html>"), /not a sound zip file/],
])("refuses an archive where %s (%s)", async (_, kind, bytes, message) => {
  const error = await contents(bytes, kind).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof WildmarkError)) throw new Error(`expected a WildmarkError, got ${error}`);
  expect([error.code, error.message]).toEqual(["bad-file", expect.stringMatching(message)]);
});

test.each<[ArchiveKind, Buffer]>([
  ["tar.gz", tarGz(members)],
  ["zip", zip([a, b])],
])("bears damage to a %s", async (kind, bytes) => {
  const total = async (bad: Uint8Array): Promise<number> =>
    Object.values(await contents(bad, kind)).reduce((sum, { length }) => sum + length, 0);
  await abuse(bytes, total, 1512);
});
