// Decides about requests that are read as lines of JSON, as examples/decide.rs does, with the sampler for JavaScript. Which
// rule decided it does not say.
//
// Usage: decide.mjs DIRECTORY ENDPOINT
// DIRECTORY is where the packages are installed.
import { randomBytes } from "node:crypto";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const [directory, endpoint] = process.argv.slice(2);
const require = createRequire(`${directory}/`);
const { ROOT_CONTEXT, SpanKind } = require("@opentelemetry/api");
const { resourceFromAttributes } = require("@opentelemetry/resources");
const { AWSXRayRemoteSampler } = require("@opentelemetry/sampler-aws-xray");
const { SamplingDecision } = require("@opentelemetry/sdk-trace-base");

const samplers = new Map();

function samplerOf(resource) {
  const service = JSON.stringify(resource);
  if (!samplers.has(service)) {
    const options = { resource: resourceFromAttributes(resource), endpoint, pollingInterval: 300 };
    samplers.set(service, new AWSXRayRemoteSampler(options));
  }
  return samplers.get(service);
}

createInterface({ input: process.stdin }).on("line", (line) => {
  const { resource = {}, attributes = {}, trace_id: traceId = randomBytes(16).toString("hex") } = JSON.parse(line);
  const result = samplerOf(resource).shouldSample(ROOT_CONTEXT, traceId, "request", SpanKind.SERVER, attributes, []);
  const sampled = result.decision === SamplingDecision.RECORD_AND_SAMPLED;
  process.stdout.write(`${JSON.stringify({ sampled, rule: null })}\n`);
});
