/** @file Archives for tests: a zip and a tar writer that can be told to lie. */

import { crc32, deflateRawSync, gzipSync } from "node:zlib";

export interface ZipInput {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly deflate?: boolean;
  /** Sizes in the zip64 extra field, as NumPy writes them. */
  readonly zip64?: boolean;
  /** What the headers say instead of the truth. */
  readonly claims?: { readonly size?: number; readonly crc?: number; readonly flags?: number };
}

/** A zip file of these members. */
export function zip(members: readonly ZipInput[]): Buffer {
  const parts: Buffer[] = [];
  const central: Buffer[] = [];
  let offset = 0;
  for (const { name, bytes, deflate = false, zip64 = false, claims = {} } of members) {
    const data = deflate ? deflateRawSync(bytes) : Buffer.from(bytes);
    const size = claims.size ?? bytes.length;
    const extra = zip64 ? Buffer.alloc(20) : Buffer.alloc(0);
    if (zip64) {
      extra.writeUInt16LE(1, 0);
      extra.writeUInt16LE(16, 2);
      extra.writeBigUInt64LE(BigInt(size), 4);
      extra.writeBigUInt64LE(BigInt(data.length), 12);
    }
    const common = Buffer.alloc(26);
    common.writeUInt16LE(zip64 ? 45 : 20, 0);
    common.writeUInt16LE(claims.flags ?? 0, 2);
    common.writeUInt16LE(deflate ? 8 : 0, 4);
    common.writeUInt16LE(0x21, 8); // 1980-01-01
    common.writeUInt32LE(claims.crc ?? crc32(bytes), 10);
    common.writeUInt32LE(zip64 ? 0xffff_ffff : data.length, 14);
    common.writeUInt32LE(zip64 ? 0xffff_ffff : size, 18);
    common.writeUInt16LE(Buffer.byteLength(name), 22);
    common.writeUInt16LE(extra.length, 24);
    const place = Buffer.alloc(14);
    place.writeUInt32LE(offset, 10);
    const local = Buffer.concat([Buffer.from("PK\x03\x04"), common, Buffer.from(name), extra, data]);
    const made = Buffer.from([45, 3]);
    central.push(Buffer.concat([Buffer.from("PK\x01\x02"), made, common, place, Buffer.from(name), extra]));
    parts.push(local);
    offset += local.length;
  }
  const directory = Buffer.concat(central);
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06", "latin1");
  end.writeUInt16LE(members.length, 8);
  end.writeUInt16LE(members.length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...parts, directory, end]);
}

export interface TarInput {
  readonly name: string;
  readonly bytes?: Uint8Array;
  readonly type?: string;
}

/** A gzipped ustar archive of these members. */
export function tarGz(members: readonly TarInput[]): Buffer {
  const blocks = members.flatMap(({ name, bytes = new Uint8Array(0), type = "0" }) => {
    const header = Buffer.alloc(512);
    header.write(name, 0, "latin1");
    header.write("0000644\0", 100);
    header.write(`${bytes.length.toString(8).padStart(11, "0")}\0`, 124);
    header.write("        ", 148);
    header.write(type, 156);
    header.write("ustar\x0000", 257, "latin1");
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
    return [header, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)];
  });
  return gzipSync(Buffer.concat([...blocks, Buffer.alloc(1024)]));
}

/** An `.npy` file: `data` is little-endian unless `descr` says otherwise. */
export function npy(descr: string, dims: readonly number[], data: Uint8Array, fortran = false, version = 1): Buffer {
  const shape = dims.map((dim) => `${dim},`).join(" ");
  const prefix = version === 1 ? 10 : 12;
  const text = `{'descr': '${descr}', 'fortran_order': ${fortran ? "True" : "False"}, 'shape': (${shape}), }`;
  const padded = `${text.padEnd(Math.ceil((prefix + text.length + 1) / 64) * 64 - prefix - 1)}\n`;
  const head = Buffer.alloc(prefix);
  head.set([0x93, ...Buffer.from("NUMPY"), version, 0]);
  if (version === 1) head.writeUInt16LE(padded.length, 8);
  else head.writeUInt32LE(padded.length, 8);
  return Buffer.concat([head, Buffer.from(padded, "latin1"), data]);
}
