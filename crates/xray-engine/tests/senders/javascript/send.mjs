// Sends the orders of scenario.json with OpenTelemetry's SDK for JavaScript, over OTLP/HTTP in protobuf or JSON.
//
// Usage: send.mjs DIRECTORY PROTOCOL SENDER START
// DIRECTORY is where the packages are installed, PROTOCOL is `proto` or `http` (JSON), as in the exporters' names. SENDER is
// put before the names of services. START is when the order began, epoch seconds. Prints the ids of the traces.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const [directory, protocol, sender, start] = process.argv.slice(2);
const require = createRequire(`${directory}/`);
const api = require("@opentelemetry/api");
const { AWSXRayIdGenerator } = require("@opentelemetry/id-generator-aws-xray");
const { AWSXRayPropagator } = require("@opentelemetry/propagator-aws-xray");
const { resourceFromAttributes, defaultResource } = require("@opentelemetry/resources");
const { BatchSpanProcessor, NodeTracerProvider } = require("@opentelemetry/sdk-trace-node");
const { OTLPTraceExporter } = require(`@opentelemetry/exporter-trace-otlp-${protocol}`);

const scenario = JSON.parse(readFileSync(new URL("../scenario.json", import.meta.url), "utf8"));

class Service {
  constructor(name) {
    this.provider = new NodeTracerProvider({
      resource: defaultResource().merge(resourceFromAttributes({ "service.name": name, ...scenario.resource })),
      idGenerator: new AWSXRayIdGenerator(),
      spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())],
    });
    this.tracer = this.provider.getTracer("senders");
  }

  begin(name, kind, parent, links) {
    const span = scenario.spans[name];
    const options = { kind: api.SpanKind[kind], attributes: span.attributes, links, startTime: time(span.from) };
    return this.tracer.startSpan(span.name, options, parent);
  }
}

function time(seconds) {
  return new Date((Number(start) + seconds) * 1000);
}

function end(name, span) {
  span.end(time(scenario.spans[name].to));
}

function below(span) {
  return api.trace.setSpan(api.ROOT_CONTEXT, span);
}

function order(shop, worker) {
  const request = shop.begin("order", "SERVER", api.ROOT_CONTEXT);
  request.setAttribute("enduser.id", `alice-${sender}`);
  end("put", shop.begin("put", "CLIENT", below(request)));
  const message = shop.begin("send", "PRODUCER", below(request));
  const carried = {};
  const propagator = new AWSXRayPropagator();
  propagator.inject(below(message), carried, api.defaultTextMapSetter);
  end("send", message);
  end("order", request);
  const process = worker.begin("process", "CONSUMER", propagator.extract(api.ROOT_CONTEXT, carried, api.defaultTextMapGetter));
  process.setAttribute("aws.remote.service", `${sender}-worker`);
  end("process", process);
  return [request, message];
}

function batch(worker, message) {
  const process = worker.begin("batch", "CONSUMER", api.ROOT_CONTEXT, [{ context: message.spanContext() }]);
  process.setAttribute("aws.remote.service", `${sender}-worker`);
  end("batch", process);
  return process;
}

function failure(shop) {
  const request = shop.begin("failure", "SERVER", api.ROOT_CONTEXT);
  const charge = shop.begin("charge", "INTERNAL", below(request));
  charge.recordException(new RangeError(scenario.exception));
  charge.setStatus({ code: api.SpanStatusCode.ERROR, message: scenario.exception });
  end("charge", charge);
  request.setStatus({ code: api.SpanStatusCode.ERROR });
  end("failure", request);
  return request;
}

const [shop, worker] = ["shop", "worker"].map((name) => new Service(`${sender}-${name}`));
const [request, message] = order(shop, worker);
const traces = { order: request, batch: batch(worker, message), failure: failure(shop) };
await Promise.all([shop, worker].map(({ provider }) => provider.shutdown()));
const ids = Object.entries(traces).map(([name, span]) => [name, span.spanContext().traceId]);
console.log(JSON.stringify(Object.fromEntries(ids)));
