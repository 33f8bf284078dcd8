// Drains an SQS queue as a service written with sqs-consumer and OpenTelemetry would.

import { SQSClient } from "@aws-sdk/client-sqs";
import { Consumer } from "sqs-consumer";

import { Handler } from "./handler.mjs";
import { SERVICE, logger, tracerProvider } from "./telemetry.mjs";

const url = process.env.QUEUE_URL;
const pollers = Number(process.env.CONSUMER_MAX_POLLERS ?? 4);
const warmUp = Number(process.env.WARM_UP ?? 0);
const handler = new Handler(url, tracerProvider().getTracer(SERVICE), logger(process.env.LOG !== "off"));
// The SDK's defaults keep up to 50 connections open, more than are ever in use.
const sqs = new SQSClient();
let handled = 0;

async function handle(message, receivedAt) {
  const done = await handler.handle(message, receivedAt);
  handled += 1;
  if (handled === warmUp) process.stderr.write("warm\n");
  return done;
}

async function handleMessageBatch(messages) {
  const receivedAt = Date.now();
  const done = await Promise.all(messages.map((message) => handle(message, receivedAt)));
  return messages.filter((_, place) => done[place]);
}

// A consumer has one receive in flight, and deletes what it received in one call before the next.
for (let poller = 0; poller < pollers; poller += 1) {
  const consumer = Consumer.create({
    sqs,
    queueUrl: url,
    batchSize: 10,
    waitTimeSeconds: 3,
    messageSystemAttributeNames: ["All"],
    messageAttributeNames: ["All"],
    handleMessageBatch,
  });
  consumer.on("error", (error) => process.stderr.write(`${error.message}\n`));
  consumer.start();
}
