/**
 * @file Recognises, by their first bytes, the files that people take for ONNX models, so that the error can say what
 * they are and what to do. ONNX itself has no signature.
 */

export interface OtherFile {
  /** As a sentence begins: "A PNG image". */
  readonly what: string;
  readonly hint: string;
}

const EXPORT = "Export the model to ONNX (torch.onnx.export, tf2onnx, …) and give that file.";
const GIVE_MODEL = "Give the .onnx file of the model.";

const SIGNATURES: readonly { readonly offset?: number; readonly starts: string; readonly is: OtherFile }[] = [
  { starts: "\x89PNG", is: { what: "A PNG image", hint: GIVE_MODEL } },
  { starts: "\xff\xd8\xff", is: { what: "A JPEG image", hint: GIVE_MODEL } },
  { starts: "PK\x03\x04", is: { what: "A ZIP archive (PyTorch .pt, Keras .keras, .npz)", hint: EXPORT } },
  { starts: "\x80\x02", is: { what: "A Python pickle (old PyTorch .pt)", hint: EXPORT } },
  { starts: "\x80\x04\x95", is: { what: "A Python pickle", hint: EXPORT } },
  { starts: "\x89HDF\r\n", is: { what: "An HDF5 file (Keras .h5)", hint: EXPORT } },
  { starts: "TFL3", offset: 4, is: { what: "A TensorFlow Lite model", hint: EXPORT } },
  { starts: '{"', offset: 8, is: { what: "A safetensors file", hint: `It holds tensors, no graph. ${EXPORT}` } },
  { starts: "\x1f\x8b", is: { what: "A gzip file", hint: "Unpack it first (gunzip)." } },
  {
    starts: "version https://git-lfs",
    is: { what: "A Git LFS pointer", hint: "Fetch the file itself: git lfs pull." },
  },
  { starts: "<", is: { what: "A web page or XML file", hint: "The download may have failed: fetch the model again." } },
  { starts: "{", is: { what: "A JSON file", hint: GIVE_MODEL } },
];

/** What a file looks like, by its first bytes; undefined for anything else, ONNX included. */
export function recogniseFile(bytes: Uint8Array): OtherFile | undefined {
  const head = Array.from(bytes.subarray(0, 64), (byte) => String.fromCharCode(byte)).join("");
  return SIGNATURES.find(({ starts, offset = 0 }) => head.startsWith(starts, offset))?.is;
}
