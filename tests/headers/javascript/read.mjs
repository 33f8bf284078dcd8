// Reads trace headers with OpenTelemetry's propagator for JavaScript: a JSON list of headers in, a list of readings out.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

// From where the packages are installed, which is not beside this file.
const require = createRequire(`${process.argv[2]}/`);
const { defaultTextMapGetter, isSpanContextValid, ROOT_CONTEXT, trace } = require("@opentelemetry/api");
const { AWSXRayPropagator } = require("@opentelemetry/propagator-aws-xray");

const propagator = new AWSXRayPropagator();
const readings = JSON.parse(readFileSync(0, "utf8")).map((header) => {
  const context = propagator.extract(ROOT_CONTEXT, { "x-amzn-trace-id": header }, defaultTextMapGetter);
  const span = trace.getSpanContext(context);
  return span && isSpanContextValid(span) ? `${span.traceId} ${span.spanId} ${span.traceFlags & 1}` : null;
});
console.log(JSON.stringify(readings));
