/** @file A scan of a small model with findings of every level, for tests of what is drawn from it. */

import type { ScanDocument } from "../../experiments/scan-document.js";
import { graphBuilder } from "../../onnx/builder.js";
import type { PicturedModel } from "../model/figure.js";
import { kernel } from "../model/testing/random-graphs.js";

export const HOSTILE = `</style></title></svg>"'><img src=x onerror=alert(1)><script>alert(1)</script>\u202e\u001b[31m\u009b{0}[a](b)`;

/** Image → kernel → sum with what is planted beside it. */
export function sampleModel(planted = "gate"): PicturedModel {
  const b = graphBuilder("sample");
  const image = b.input("image", "float32", ["N", 2, 4, 4]);
  const learned = b.op("Conv", [image, kernel(b)], {}, { name: "conv" });
  const seen = b.op("ReduceMax", [image], { keepdims: 1 }, { name: "corner" });
  const opened = b.op("Greater", [seen, b.scalar(0.5)], {}, { name: planted });
  b.output(b.op("Where", [opened, b.scalar(1), learned], {}, { name: "scores" }), "float32");
  const shapes = new Map([["conv", [1, 2, 4, 4]]]);
  return { graph: b.build(), shapes, whyNoShapes: undefined, trainable: new Set(["kernel"]) };
}

type Finding = ScanDocument["findings"][number];

export function sampleFinding(changes: Partial<Finding> = {}): Finding {
  return {
    detector: "gates",
    level: "planted",
    what: "A node slept.",
    nodes: ["gate"],
    path: ["corner", "gate", "scores"],
    target: 7,
    sure: "Certain.",
    innocent: "A guard.",
    advice: "Do not use it.",
    ...changes,
  };
}

export function sampleScan(findings: readonly Finding[] = [sampleFinding()]): ScanDocument {
  const detector = { title: "Gates", summary: "Looks for gates.", source: "Ours.", blind: "Open gates." } as const;
  return {
    format: "wildmark-result",
    version: 1,
    kind: "scan",
    title: "Is something planted in models/a b.onnx?",
    command: "wildmark scan 'models/a b.onnx'",
    started: "2026-01-02T03:04:05.000Z",
    finished: "2026-01-02T03:04:06.000Z",
    seconds: 1,
    software: { wildmark: "0.1.0", onnxruntime: "1.30.0", node: "20.0.0" },
    machine: { platform: "linux x64", cpu: "some", device: "cpu", threads: 1, tuning: "off" },
    model: {
      path: "models/a b.onnx",
      bytes: 1234,
      sha256: "a".repeat(64),
      readSha256: "a".repeat(64),
      shape: [2, 4, 4],
      classes: 2,
    },
    images: null,
    findings: [...findings],
    detectors: [
      { ...detector, id: "gates", kind: "graph", ran: true, findings: findings.length },
      {
        ...detector,
        id: "units",
        kind: "statistic",
        ran: true,
        findings: 0,
      },
      { ...detector, id: "triggers", kind: "statistic", ran: false, why: "It needs clean images." },
    ],
    unseen: ["marks with random labels"],
    notes: [],
  };
}
