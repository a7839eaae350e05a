import { defineConfig } from "vitest/config";

const slow = process.env.WILDMARK_SLOW === "1";

export default defineConfig({
  test: {
    include: ["src/**/*.test.ts", "test/**/*.test.ts", "perf/**/*.test.ts", ...(slow ? ["test/**/*.slow.ts"] : [])],
    // ONNX Runtime is a native addon that keeps threads of its own: a process per file, two at a time.
    pool: "forks",
    maxWorkers: 2,
    // Of something that hangs; a busy machine takes several times as long as a quiet one.
    testTimeout: slow ? 900_000 : 120_000,
    hookTimeout: 120_000,
    env: { WILDMARK_THREADS: process.env.WILDMARK_THREADS ?? "1" },
  },
});
