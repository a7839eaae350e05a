/**
 * @file Servers that speak the published protocols and answer with a real small model, for tests of asking from afar.
 *
 * Each reads what arrives as the protocol says, decodes the picture, runs the model and answers in the protocol's form;
 * a request in another form is answered 400. `mishap` lets them fail as servers do.
 */

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import sharp from "sharp";
import { z } from "zod";
import { float32 } from "../../../core/tensor.js";
import { imageGraph } from "../../../onnx/image-graph.js";
import type { Model } from "../../../onnx/model.js";
import { createSession } from "../../../runtime/session.js";

export const WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"] as const;

/** What goes wrong with a request instead of an answer; undefined: nothing. */
export type Mishap =
  | { readonly status: number; readonly headers?: Readonly<Record<string, string>>; readonly body?: string }
  | { readonly drop: true }
  | { readonly slow: number };

export interface ServerOptions {
  /** @param number of the request, from 1, of those that carry an image */
  readonly mishap?: (number: number, pixels: readonly number[]) => Mishap | undefined;
  /** Where given, requests without this bearer token are answered 401. */
  readonly token?: string;
}

export interface TestServer {
  readonly url: string;
  /** Requests that carried an image. */
  readonly requests: () => number;
  readonly close: () => Promise<void>;
}

type Protocol = "open-inference" | "tensorflow-serving" | "multipart" | "raw" | "gradio";

/** Scores of one grey 28×28 image, pixels 0 to 255. */
type Scores = (pixels: ArrayLike<number>) => Promise<number[]>;

async function scoresOf(model: Model): Promise<{ readonly scores: Scores; readonly release: () => Promise<void> }> {
  const { graph, classifier } = imageGraph(model, { channels: 1, height: 28, width: 28 });
  const session = await createSession(graph);
  return {
    scores: async (pixels) => {
      const image = float32(
        [1, 1, 28, 28],
        Float32Array.from(pixels, (value) => value / 255),
      );
      const found = (await session.run(new Map([[classifier.input.name, image]]))).get(classifier.output);
      if (found?.type !== "float32") throw new Error("no scores");
      return [...found.data];
    },
    release: () => session.release(),
  };
}

/** A request that is not in the protocol's form. */
class BadRequest extends Error {}

export async function startServer(protocol: Protocol, model: Model, options: ServerOptions = {}): Promise<TestServer> {
  const { mishap, token } = options;
  const { scores, release } = await scoresOf(model);
  let requests = 0;
  const uploads = new Map<string, Uint8Array>();
  const events = new Map<string, string>();

  /** The picture, after what goes wrong went wrong. */
  async function answered(
    pixels: number[],
    response: ServerResponse,
    form: (scores: number[]) => Answer,
  ): Promise<void> {
    requests++;
    const wrong = mishap?.(requests, pixels);
    if (wrong !== undefined && "drop" in wrong) {
      response.destroy();
      return;
    }
    if (wrong !== undefined && "slow" in wrong) await new Promise((resolve) => setTimeout(resolve, wrong.slow));
    if (wrong !== undefined && "status" in wrong) {
      response.writeHead(wrong.status, wrong.headers).end(wrong.body ?? "");
      return;
    }
    reply(response, 200, form(await scores(pixels)));
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (token !== undefined && request.headers.authorization !== `Bearer ${token}`) {
      return reply(response, 401, { error: `no access with ${request.headers.authorization}` });
    }
    const path = new URL(request.url ?? "/", "http://localhost").pathname;
    const body = await bodyOf(request);
    const type = request.headers["content-type"] ?? "";
    if (protocol === "gradio" && request.method === "GET") return stream(path, response);
    if (request.method !== "POST") return reply(response, 405, { error: "method not allowed" });
    switch (protocol) {
      case "open-inference": {
        if (!/^\/v2\/models\/lenet(\/versions\/[^/]+)?\/infer$/.test(path))
          return reply(response, 404, { error: "no such model" });
        const { pixels, classification } = await readInference(body, request);
        return answered(pixels, response, (found) => inferenceAnswer(found, classification));
      }
      case "tensorflow-serving": {
        if (path !== "/v1/models/lenet:predict") return reply(response, 404, { error: "Servable not found" });
        const pixels = await readInstance(body);
        return answered(pixels, response, (found) => ({ predictions: [found] }));
      }
      case "multipart": {
        const form = await new Response(new Uint8Array(body), { headers: { "content-type": type } }).formData();
        const file = form.get("picture");
        if (!(file instanceof File) || form.get("top") !== "1")
          throw new BadRequest("expected the fields picture and top");
        const pixels = await decoded(new Uint8Array(await file.arrayBuffer()));
        return answered(pixels, response, (found) => ({ result: { class: WORDS[largest(found)] } }));
      }
      case "raw": {
        if (type !== "image/png" && type !== "image/jpeg") throw new BadRequest(`content type ${type}`);
        return answered(await decoded(body), response, huggingFaceAnswer);
      }
      case "gradio":
        return gradioPost(path, body, type, response);
    }
  }

  async function gradioPost(path: string, body: Uint8Array, type: string, response: ServerResponse): Promise<void> {
    if (path === "/gradio_api/upload") {
      const form = await new Response(Uint8Array.from(body), { headers: { "content-type": type } }).formData();
      const file = form.get("files");
      if (!(file instanceof File)) throw new BadRequest("expected the field files");
      const place = `/tmp/gradio/${uploads.size}/${file.name}`;
      uploads.set(place, new Uint8Array(await file.arrayBuffer()));
      return reply(response, 200, [place]);
    }
    if (path !== "/gradio_api/call/classify") return reply(response, 404, { detail: "Not Found" });
    const { data } = z.object({ data: z.tuple([gradioFile, z.literal(3)]) }).parse(JSON.parse(text(body)));
    const [{ path: place, url }] = data;
    const bytes = place === undefined ? dataUri(url ?? "") : uploads.get(place);
    if (bytes === undefined) throw new BadRequest("no such file");
    return answered(await decoded(bytes), response, (found) => {
      const event = `e${events.size}`;
      const confidences = found.map((confidence, i) => ({ label: WORDS[i], confidence }));
      confidences.sort((a, b) => b.confidence - a.confidence);
      events.set(event, JSON.stringify([{ label: WORDS[largest(found)], confidences: confidences.slice(0, 3) }]));
      return { event_id: event };
    });
  }

  function stream(path: string, response: ServerResponse): void {
    const event = /^\/gradio_api\/call\/classify\/(.+)$/.exec(path)?.[1] ?? "";
    const data = events.get(event);
    response.writeHead(data === undefined ? 404 : 200, { "content-type": "text/event-stream" });
    response.write("event: heartbeat\ndata: null\n\nevent: generating\ndata: []\n\n");
    response.end(`event: complete\ndata: ${data}\n\n`);
  }

  const server = createServer((request, response) => {
    handle(request, response).catch((error: unknown) => {
      const known = error instanceof BadRequest || error instanceof SyntaxError || error instanceof z.ZodError;
      reply(response, known ? 400 : 599, { error: String(error) });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    requests: () => requests,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await release();
    },
  };
}

type Answer = Readonly<Record<string, unknown>> | readonly unknown[];

function reply(response: ServerResponse, status: number, answer: Answer): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(answer));
}

async function bodyOf(request: IncomingMessage): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks);
}

const text = (body: Uint8Array): string => Buffer.from(body).toString("utf8");

const inferenceSchema = z.object({
  inputs: z.tuple([
    z.object({
      name: z.literal("image"),
      shape: z.array(z.int()),
      datatype: z.enum(["FP32", "UINT8", "BYTES"]),
      data: z.array(z.union([z.number(), z.string()])).optional(),
      parameters: z.record(z.string(), z.unknown()).optional(),
    }),
  ]),
  outputs: z
    .tuple([z.object({ name: z.literal("scores"), parameters: z.object({ classification: z.int() }).optional() })])
    .optional(),
});

async function readInference(body: Uint8Array, request: IncomingMessage) {
  const head = request.headers["inference-header-content-length"];
  const json = head === undefined ? body : body.subarray(0, Number(head));
  const { inputs, outputs } = inferenceSchema.parse(JSON.parse(text(json)));
  const [{ shape, datatype, data = [], parameters }] = inputs;
  const classification = outputs?.[0].parameters?.classification;
  if (datatype !== "BYTES") {
    if (String(shape) !== "1,1,28,28" || data.length !== 784) throw new BadRequest(`shape ${shape}`);
    // FP32 arrives as (x − 0.5) / 0.5, as the test's description says; UINT8 as pixels.
    return {
      pixels: data.map((value) => (datatype === "FP32" ? (Number(value) * 0.5 + 0.5) * 255 : Number(value))),
      classification,
    };
  }
  if (head === undefined) {
    if (parameters?.content_type !== "base64") throw new BadRequest("content_type");
    return { pixels: await decoded(Buffer.from(String(data[0]), "base64")), classification };
  }
  const rest = Buffer.from(body.subarray(Number(head)));
  if (parameters?.binary_data_size !== rest.length || rest.readUInt32LE(0) !== rest.length - 4)
    throw new BadRequest("sizes");
  return { pixels: await decoded(rest.subarray(4)), classification };
}

function inferenceAnswer(found: readonly number[], classification: number | undefined): Answer {
  const output =
    classification === undefined
      ? { name: "scores", datatype: "FP32", shape: [1, found.length], data: found }
      : {
          name: "scores",
          datatype: "BYTES",
          shape: [1, 1],
          data: [`${found[largest(found)]?.toFixed(6)}:${largest(found)}:${WORDS[largest(found)]}`],
        };
  return { model_name: "lenet", model_version: "1", outputs: [output] };
}

const rows = z.array(z.array(z.tuple([z.number()])).length(28)).length(28);

async function readInstance(body: Uint8Array): Promise<number[]> {
  const instance = z.union([z.object({ b64: z.string() }), rows]);
  const { instances } = z.object({ instances: z.tuple([instance]) }).parse(JSON.parse(text(body)));
  const [one] = instances;
  return "b64" in one ? decoded(Buffer.from(one.b64, "base64")) : one.flat(2).map((value) => value * 255);
}

const gradioFile = z.object({
  path: z.string().optional(),
  url: z.string().optional(),
  meta: z.object({ _type: z.literal("gradio.FileData") }),
});

/** As Hugging Face's image classification: the best first. */
function huggingFaceAnswer(found: readonly number[]): Answer {
  const exps = found.map((score) => Math.exp(score - Math.max(...found)));
  const sum = exps.reduce((total, value) => total + value, 0);
  const all = exps.map((value, i) => ({ label: `LABEL_${i}`, score: value / sum }));
  return all.sort((a, b) => b.score - a.score).slice(0, 5);
}

function dataUri(uri: string): Uint8Array | undefined {
  const [, base64] = /^data:image\/\w+;base64,(.*)$/.exec(uri) ?? [];
  return base64 === undefined ? undefined : Buffer.from(base64, "base64");
}

async function decoded(bytes: Uint8Array): Promise<number[]> {
  const raw = await sharp(bytes)
    .toColourspace("b-w")
    .raw({ depth: "uchar" })
    .toBuffer({ resolveWithObject: true })
    .catch((error: unknown) => Promise.reject(new BadRequest(String(error))));
  if (raw.info.width !== 28 || raw.info.height !== 28) throw new BadRequest("size");
  return [...raw.data];
}

function largest(values: readonly number[]): number {
  return values.reduce((best, value, i) => (value > (values[best] ?? 0) ? i : best), 0);
}
