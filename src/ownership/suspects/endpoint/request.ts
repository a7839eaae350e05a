/**
 * @file How each protocol is spoken: an image becomes one or more requests, and the text that holds the answer.
 *
 * - Open Inference Protocol v2 (KServe, Triton, Seldon, OpenVINO): github.com/kserve/open-inference-protocol; Triton's
 *   extensions for classification and for binary tensor data.
 * - TensorFlow Serving's REST API, predict: tensorflow.org/tfx/serving/api_rest.
 * - Gradio's HTTP API: gradio.app/guides/querying-gradio-apps-with-curl, and its upload route.
 */

import { createParser, type EventSourceMessage } from "eventsource-parser";
import type { EndpointConfig, EndpointFile } from "./config.js";
import { nested, type SentImage } from "./encode.js";
import type { HttpAnswer, Send } from "./http.js";
import { parsedJson } from "../../../core/json.js";

/** Asks one image; more than one request where the protocol wants it so. A failed first step ends it. */
export type Ask = (image: SentImage, send: Send) => Promise<HttpAnswer>;

type FileOf<P extends EndpointFile["preset"]> = Extract<EndpointFile, { readonly preset: P }>;

export function askerOf({ file }: EndpointConfig): Ask {
  switch (file.preset) {
    case "open-inference":
      return openInference(file);
    case "tensorflow-serving":
      return tensorflowServing(file);
    case "multipart":
      return multipart(file);
    case "raw":
      return (image, send) => {
        const { type, bytes } = fileOf(image);
        return send({
          url: file.url,
          method: "POST",
          headers: { ...headersOf(file), "content-type": type },
          body: Uint8Array.from(bytes),
        });
      };
    case "gradio":
      return gradio(file);
  }
}

function modelPath(model: string, version: string | undefined): string {
  const of = version === undefined ? "" : `/versions/${encodeURIComponent(version)}`;
  return `models/${encodeURIComponent(model)}${of}`;
}

function openInference(file: FileOf<"open-inference">): Ask {
  const { model, version, input, output, classification, bytes: way } = file;
  const url = under(file.url, `v2/${modelPath(model, version)}/infer`);
  const outputs =
    output === undefined
      ? {}
      : { outputs: [{ name: output, ...(classification ? { parameters: { classification: 1 } } : {}) }] };
  return (image, send) => {
    if (image.kind === "tensor") {
      const tensor = { name: input, shape: image.dims, datatype: image.datatype, data: image.values };
      return send(json(url, headersOf(file), { inputs: [tensor], ...outputs }));
    }
    const { bytes } = image;
    if (way === "base64") {
      const data = [Buffer.from(bytes).toString("base64")];
      const tensor = { name: input, shape: [1], datatype: "BYTES", parameters: { content_type: "base64" }, data };
      return send(json(url, headersOf(file), { inputs: [tensor], ...outputs }));
    }
    // Each element of a BYTES tensor is preceded by its length, 4 bytes, little-endian.
    const length = Buffer.alloc(4);
    length.writeUInt32LE(bytes.length);
    const parameters = { binary_data_size: 4 + bytes.length };
    const tensor = { name: input, shape: [1], datatype: "BYTES", parameters };
    const head = Buffer.from(JSON.stringify({ inputs: [tensor], ...outputs }));
    const headers = {
      ...headersOf(file),
      "content-type": "application/octet-stream",
      "inference-header-content-length": String(head.length),
    };
    return send({ url, method: "POST", headers, body: Uint8Array.from(Buffer.concat([head, length, bytes])) });
  };
}

function tensorflowServing(file: FileOf<"tensorflow-serving">): Ask {
  const { model, version, signature, input } = file;
  const url = under(file.url, `v1/${modelPath(model, version)}:predict`);
  return (image, send) => {
    const value =
      image.kind === "file"
        ? { b64: Buffer.from(image.bytes).toString("base64") }
        : nested(image.values, image.dims.slice(1));
    const instances = [input === undefined ? value : { [input]: value }];
    const named = signature === undefined ? {} : { signature_name: signature };
    return send(json(url, headersOf(file), { ...named, instances }));
  };
}

function multipart(file: FileOf<"multipart">): Ask {
  return (image, send) => {
    const form = new FormData();
    form.append(file.field, blobOf(image), nameOf(image));
    for (const [name, value] of Object.entries(file.fields)) form.append(name, value);
    return send({ url: file.url, method: "POST", headers: headersOf(file), body: form });
  };
}

function gradio(file: FileOf<"gradio">): Ask {
  const { api, prefix, upload, inputs } = file;
  const base = under(file.url, prefix.replace(/^\/|\/$/g, ""));
  const call = under(base, `call/${encodeURIComponent(api)}`);
  return async (image, send) => {
    const { type, bytes } = fileOf(image);
    let place: Readonly<Record<string, string>> = {
      url: `data:${type};base64,${Buffer.from(bytes).toString("base64")}`,
    };
    if (upload) {
      const form = new FormData();
      form.append("files", blobOf(image), nameOf(image));
      const uploaded = await send({ url: under(base, "upload"), method: "POST", headers: headersOf(file), body: form });
      if (uploaded.status !== 200) return uploaded;
      const [path] = textsOf(uploaded.body);
      if (path === undefined) return strange("of an upload", uploaded);
      place = { path };
    }
    const data = [{ ...place, meta: { _type: "gradio.FileData" } }, ...inputs];
    const called = await send(json(call, headersOf(file), { data }));
    if (called.status !== 200) return called;
    const event = eventIdOf(called.body);
    if (event === undefined) return strange("of a call", called);
    const streamed = await send({
      url: under(call, encodeURIComponent(event)),
      method: "GET",
      headers: headersOf(file),
    });
    return streamed.status === 200 ? lastEvent(streamed) : streamed;
  };
}

/** What the function returned. An error event is a refusal: 422, as if it had been said at once. */
function lastEvent(stream: HttpAnswer): HttpAnswer {
  const events: EventSourceMessage[] = [];
  const parser = createParser({ onEvent: (event) => events.push(event) });
  parser.feed(stream.body);
  // A stream that ends without an empty line still ends its last event.
  parser.feed("\n\n");
  const last = events.findLast(({ event }) => event === "complete" || event === "error");
  if (last === undefined) return { ...stream, status: 502, body: `the stream of events ended early: ${stream.body}` };
  return { ...stream, status: last.event === "error" ? 422 : 200, body: last.data };
}

function strange(what: string, { body }: HttpAnswer): HttpAnswer {
  return { status: 502, body: `the answer ${what} is not Gradio's: ${body}`, retryAfter: undefined };
}

function textsOf(body: string): string[] {
  const value = parsedJson(body);
  return Array.isArray(value) ? value.filter((each) => typeof each === "string") : [];
}

function eventIdOf(body: string): string | undefined {
  const value = parsedJson(body);
  if (typeof value !== "object" || value === null || !("event_id" in value)) return undefined;
  return typeof value.event_id === "string" ? value.event_id : undefined;
}

function headersOf({ headers, bearer }: EndpointFile): Record<string, string> {
  return { accept: "*/*", ...headers, ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }) };
}

function json(url: string, headers: Readonly<Record<string, string>>, body: unknown) {
  return {
    url,
    method: "POST" as const,
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  };
}

/** An address below another, its query kept; an address that ends so already is taken as it is. */
function under(base: string, place: string): string {
  const url = new URL(base);
  const path = url.pathname.replace(/\/+$/, "");
  if (place !== "" && !path.endsWith(`/${place}`)) url.pathname = `${path}/${place}`;
  return url.href;
}

function fileOf(image: SentImage): Extract<SentImage, { readonly kind: "file" }> {
  if (image.kind === "file") return image;
  throw new Error("this protocol sends files"); // the configuration was checked
}

function blobOf(image: SentImage): Blob {
  const { type, bytes } = fileOf(image);
  return new Blob([Uint8Array.from(bytes)], { type });
}

/** The same for all images: a name must tell nothing. */
function nameOf(image: SentImage): string {
  return fileOf(image).type === "image/png" ? "image.png" : "image.jpg";
}
