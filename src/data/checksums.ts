/**
 * @file The files of the public data sets, with what they must hash to.
 *
 * A download is checked by the compressed file, a local copy by either hash, so that files unpacked or compressed anew
 * are still recognised.
 */

/** A public file and its checksums, hex. */
export interface KnownFile {
  /** The name under which it is published. */
  readonly name: string;
  /** SHA-256 of the file as published. */
  readonly sha256: string;
  /** SHA-256 of what is in it, once decompressed. */
  readonly contentsSha256: string;
  /** Size once decompressed, in bytes. */
  readonly contentsBytes: number;
}

/** A file that can be fetched: its size bounds what a server may send. */
export interface DownloadableFile extends KnownFile {
  /** Size as published, in bytes. */
  readonly bytes: number;
}

/**
 * MNIST (LeCun, Cortes, Burges). The MD5 sums of these files are the ones that torchvision publishes: f68b3c2d…, d53e105e…,
 * 9fb629c4…, ec29112d….
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

/**
 * The test images of Kuzushiji-MNIST (Clanuwat et al. 2018, CC BY-SA 4.0).
 *
 * `sha256` is the published file's, as torchvision-ruby lists it. `contentsSha256` was taken from the copy that Wildmark's
 * figures were measured with, which had been compressed anew: no published sum of the contents is known to us.
 */
export const kmnistTestImages: KnownFile = {
  name: "t10k-images-idx3-ubyte.gz",
  sha256: "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
  contentsSha256: "76fbd229ce87db80dd281af5e6670de4ad0e42fb30a7bd643972994c47c1f42e",
  contentsBytes: 7_840_016,
};
