/**
 * @file The files of the public data sets, with what they must hash to.
 *
 * A download is checked by the compressed file, a local copy by either hash, so that files unpacked or compressed anew
 * are still recognised.
 */

import type { ArchiveKind } from "./archive.js";

/** A public file and its checksums, hex; a checksum that nobody published and we could not take is undefined. */
export interface KnownFile {
  /** The name under which it is published. */
  readonly name: string;
  /** SHA-256 of the file as published. */
  readonly sha256: string | undefined;
  /** SHA-256 of what is in it, once decompressed. */
  readonly contentsSha256: string | undefined;
  /** Size once decompressed, in bytes. */
  readonly contentsBytes: number;
}

/** Something to download: its size bounds what a server may send. */
export interface Download {
  readonly name: string;
  /** Size as published, in bytes. */
  readonly bytes: number;
  readonly sha256: string;
}

/** A file that can be fetched by itself. */
export type DownloadableFile = KnownFile & Download;

/** An archive that holds the files of a data set, in a folder of its own. */
export interface Archive extends Download {
  readonly kind: ArchiveKind;
  readonly folder: string;
}

/**
 * MNIST (LeCun, Cortes, Burges). The MD5 sums of these files are the ones that torchvision publishes: f68b3c2d…,
 * d53e105e…, 9fb629c4…, ec29112d….
 */
export const mnistFiles = [
  {
    name: "train-images-idx3-ubyte.gz",
    bytes: 9_912_422,
    sha256: "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    contentsSha256: "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    contentsBytes: 47_040_016,
  },
  {
    name: "train-labels-idx1-ubyte.gz",
    bytes: 28_881,
    sha256: "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    contentsSha256: "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    contentsBytes: 60_008,
  },
  {
    name: "t10k-images-idx3-ubyte.gz",
    bytes: 1_648_877,
    sha256: "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    contentsSha256: "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    contentsBytes: 7_840_016,
  },
  {
    name: "t10k-labels-idx1-ubyte.gz",
    bytes: 4_542,
    sha256: "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    contentsSha256: "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    contentsBytes: 10_008,
  },
] as const satisfies readonly DownloadableFile[];

/** A file of one of MNIST's siblings; of some no sum of the contents is known to us. */
const sibling = (
  name: string,
  bytes: number,
  sha256: string,
  contentsBytes: number,
  contentsSha256?: string,
): DownloadableFile => {
  return { name, bytes, sha256, contentsSha256, contentsBytes };
};

/**
 * Fashion-MNIST (Xiao, Rasul, Vollgraf 2017, MIT licence). SHA-256 and sizes as TensorFlow Datasets lists them; the MD5
 * sums that its authors publish are 8d4fb7e6…, 25c81989…, bef4ecab…, bb300cfd….
 *
 * The sums of the contents were taken from files that, compressed as their authors did, have the published SHA-256.
 */
export const fashionMnistFiles: readonly DownloadableFile[] = [
  sibling(
    "train-images-idx3-ubyte.gz",
    26_421_880,
    "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    47_040_016,
  ),
  sibling(
    "train-labels-idx1-ubyte.gz",
    29_515,
    "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    60_008,
    "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
  ),
  sibling(
    "t10k-images-idx3-ubyte.gz",
    4_422_102,
    "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    7_840_016,
    "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
  ),
  sibling(
    "t10k-labels-idx1-ubyte.gz",
    5_148,
    "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    10_008,
    "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
  ),
];

/**
 * Kuzushiji-MNIST (Clanuwat et al. 2018, CC BY-SA 4.0). SHA-256 and sizes as TensorFlow Datasets lists them.
 *
 * The `contentsSha256` of the test files were taken from the copy that Wildmark's figures were measured with, which had
 * been compressed anew: no published sums of the contents are known to us.
 */
export const kmnistFiles: readonly DownloadableFile[] = [
  sibling(
    "train-images-idx3-ubyte.gz",
    18_165_135,
    "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
    47_040_016,
  ),
  sibling(
    "train-labels-idx1-ubyte.gz",
    29_497,
    "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
    60_008,
  ),
  {
    name: "t10k-images-idx3-ubyte.gz",
    bytes: 3_041_136,
    sha256: "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
    contentsSha256: "76fbd229ce87db80dd281af5e6670de4ad0e42fb30a7bd643972994c47c1f42e",
    contentsBytes: 7_840_016,
  },
  {
    name: "t10k-labels-idx1-ubyte.gz",
    bytes: 5_120,
    sha256: "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
    contentsSha256: "a11dc742be8e781a40a92f53d6a4957e7b7d36df2faa097659131ebfd8fd60c6",
    contentsBytes: 10_008,
  },
];

/** A file that is published uncompressed, in an archive. */
const plain = (name: string, sha256: string, contentsBytes: number): KnownFile => {
  return { name, sha256, contentsSha256: sha256, contentsBytes };
};

/**
 * CIFAR-10 (Krizhevsky 2009), binary version. Its author publishes the archive's MD5, c32a1d4ab5d03f1284b67883e8d87530;
 * its SHA-256 and size are those of TensorFlow Datasets. Those of the files were taken from a copy whose MD5 sums are
 * the ones that other libraries list.
 */
export const cifar10Archive: Archive = {
  name: "cifar-10-binary.tar.gz",
  kind: "tar.gz",
  folder: "cifar-10-batches-bin",
  bytes: 170_052_171,
  sha256: "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
};

export const cifar10Files: readonly KnownFile[] = [
  plain("data_batch_1.bin", "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5", 30_730_000),
  plain("data_batch_2.bin", "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed", 30_730_000),
  plain("data_batch_3.bin", "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67", 30_730_000),
  plain("data_batch_4.bin", "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48", 30_730_000),
  plain("data_batch_5.bin", "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add", 30_730_000),
  plain("test_batch.bin", "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b", 30_730_000),
];

/**
 * CIFAR-100 (Krizhevsky 2009), binary version. Its author publishes the archive's MD5,
 * 03b5dce01913d631647c71ecec9e9cb8; its SHA-256 and size are those of TensorFlow Datasets, the files' those of
 * torchvision-ruby.
 */
export const cifar100Archive: Archive = {
  name: "cifar-100-binary.tar.gz",
  kind: "tar.gz",
  folder: "cifar-100-binary",
  bytes: 168_513_733,
  sha256: "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
};

export const cifar100Files: readonly KnownFile[] = [
  plain("train.bin", "f31298fc616915fa142368359df1c4ca2ae984d6915ca468b998a5ec6aeebf29", 153_700_000),
  plain("test.bin", "d8b1e6b7b3bee4020055f0699b111f60b1af1e262aeb93a0b659061746f8224a", 30_740_000),
];

/**
 * EMNIST (Cohen, Afshar, Tapson, van Schaik 2017): one archive of all its sets. SHA-256 and size as TensorFlow Datasets
 * lists them; torchvision lists the MD5 58c8d27c78d21e728a6bc7b3cc06412e. No sums of the files in it are known to us.
 */
export const emnistArchive: Archive = {
  name: "gzip.zip",
  kind: "zip",
  folder: "gzip",
  bytes: 561_753_746,
  sha256: "fb9bb67e33772a9cc0b895e4ecf36d2cf35be8b709693c3564cea2a019fcda8e",
};

/** The four files of one of EMNIST's sets, whose images have 28x28 pixels. */
export function emnistFiles(set: string, counts: { readonly train: number; readonly test: number }): KnownFile[] {
  return (["train", "test"] as const).flatMap((split) => {
    const file = (kind: string, contentsBytes: number): KnownFile => {
      return { name: `emnist-${set}-${split}-${kind}.gz`, sha256: undefined, contentsSha256: undefined, contentsBytes };
    };
    return [file("images-idx3-ubyte", 16 + 784 * counts[split]), file("labels-idx1-ubyte", 8 + counts[split])];
  });
}

/** A set whose files are known by their sums, whatever they are called and wherever they lie. */
export interface KnownSet {
  /** As in the registry. */
  readonly id: string;
  readonly title: string;
  readonly files: readonly KnownFile[];
}

export const knownSets: readonly KnownSet[] = [
  { id: "mnist", title: "MNIST", files: mnistFiles },
  { id: "fashion-mnist", title: "Fashion-MNIST", files: fashionMnistFiles },
  { id: "kmnist", title: "Kuzushiji-MNIST", files: kmnistFiles },
  { id: "cifar-10", title: "CIFAR-10", files: cifar10Files },
  { id: "cifar-100", title: "CIFAR-100", files: cifar100Files },
];

/**
 * Which published file has one of these SHA-256, of itself or of its contents; undefined where none is known to have.
 *
 * @param sums hex.
 * @param sets where to look; default: all that are known.
 */
export function whoseFile(
  sums: readonly (string | undefined)[],
  sets: readonly KnownSet[] = knownSets,
): { readonly set: KnownSet; readonly file: KnownFile } | undefined {
  const has = (sum: string | undefined): boolean => sum !== undefined && sums.includes(sum);
  for (const set of sets) {
    const file = set.files.find(({ sha256, contentsSha256 }) => has(sha256) || has(contentsSha256));
    if (file !== undefined) return { set, file };
  }
  return undefined;
}
