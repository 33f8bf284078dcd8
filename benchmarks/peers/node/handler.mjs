// Continues the trace of each event and writes one log line.

import { ROOT_CONTEXT, SpanKind, SpanStatusCode, context, defaultTextMapGetter, trace } from "@opentelemetry/api";
import { AWSXRayPropagator } from "@opentelemetry/propagator-aws-xray";
import {
  ATTR_AWS_SQS_QUEUE_URL,
  ATTR_MESSAGING_DESTINATION_NAME,
  ATTR_MESSAGING_MESSAGE_BODY_SIZE,
  ATTR_MESSAGING_MESSAGE_CONVERSATION_ID,
  ATTR_MESSAGING_MESSAGE_ID,
  ATTR_MESSAGING_OPERATION_NAME,
  ATTR_MESSAGING_OPERATION_TYPE,
  ATTR_MESSAGING_SYSTEM,
  MESSAGING_OPERATION_TYPE_VALUE_PROCESS,
  MESSAGING_SYSTEM_VALUE_AWS_SQS,
} from "@opentelemetry/semantic-conventions/incubating";

const APPLIED = "applied";
const RETRY = "retry";

const propagator = new AWSXRayPropagator();

export class Handler {
  constructor(url, tracer, log) {
    const queue = url.slice(url.lastIndexOf("/") + 1);
    this.tracer = tracer;
    this.log = log;
    this.spanName = `process ${queue}`;
    this.source = {
      [ATTR_MESSAGING_SYSTEM]: MESSAGING_SYSTEM_VALUE_AWS_SQS,
      [ATTR_MESSAGING_OPERATION_NAME]: "process",
      [ATTR_MESSAGING_OPERATION_TYPE]: MESSAGING_OPERATION_TYPE_VALUE_PROCESS,
      [ATTR_MESSAGING_DESTINATION_NAME]: queue,
      [ATTR_AWS_SQS_QUEUE_URL]: url,
    };
  }

  /** Resolves to whether the message was handled and is to be deleted. */
  async handle(message, receivedAt) {
    const event = parse(message.Body);
    const carrier = { "x-amzn-trace-id": event?.detail.metadata.trace };
    const parent = propagator.extract(ROOT_CONTEXT, carrier, defaultTextMapGetter);
    const span = this.tracer.startSpan(this.spanName, { kind: SpanKind.CONSUMER }, parent);
    try {
      return await context.with(trace.setSpan(parent, span), () => this.apply(message, event, span, receivedAt));
    } finally {
      span.end();
    }
  }

  async apply(message, event, span, receivedAt) {
    const metadata = event?.detail.metadata;
    const outcome = event ? APPLIED : RETRY;
    if (span.isRecording()) {
      span.setAttributes(this.source);
      span.setAttributes({
        [ATTR_MESSAGING_MESSAGE_ID]: message.MessageId,
        [ATTR_MESSAGING_MESSAGE_BODY_SIZE]: Buffer.byteLength(message.Body),
        [ATTR_MESSAGING_MESSAGE_CONVERSATION_ID]: metadata?.correlation_id,
        event_id: metadata?.event_id,
        event_type: event?.["detail-type"],
        outcome,
      });
      if (outcome === RETRY) span.setStatus({ code: SpanStatusCode.ERROR, message: "unreadable event" });
    }
    const { traceId } = span.spanContext();
    this.log[outcome === APPLIED ? "info" : "warn"](
      {
        event_type: event?.["detail-type"],
        event_id: metadata?.event_id,
        correlation_id: metadata?.correlation_id,
        customer_number: event?.detail.data.customer_number,
        message_id: message.MessageId,
        attempt: Number(message.Attributes.ApproximateReceiveCount),
        waiting_ms: Math.max(0, receivedAt - Number(message.Attributes.SentTimestamp)),
        processing_ms: Date.now() - receivedAt,
        outcome,
        trace_id: `1-${traceId.slice(0, 8)}-${traceId.slice(8)}`,
      },
      "event",
    );
    return outcome === APPLIED;
  }
}

/** Returns the event of a body, if it is one. */
function parse(body) {
  try {
    const event = JSON.parse(body);
    return event.detail.metadata && event.detail.data ? event : undefined;
  } catch {
    return undefined;
  }
}
