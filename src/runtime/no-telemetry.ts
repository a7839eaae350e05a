/**
 * @file Keeps ONNX Runtime from reporting what it runs. Import this before `onnxruntime-node`.
 *
 * Since 1.29 the official Linux and macOS binaries send events to Microsoft unless told not to (names and hashes of
 * graphs and weights among them), and keep a device identifier in the user's cache folder (microsoft/onnxruntime
 * #27379). Models that are marked, or suspected, are nobody else's business. Whoever wants the reports sets
 * ORT_DISABLE_TELEMETRY=0.
 */

process.env.ORT_DISABLE_TELEMETRY ??= "1";
