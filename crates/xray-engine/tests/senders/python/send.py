"""Sends the orders of scenario.json with OpenTelemetry's SDK for Python, over OTLP/HTTP in protobuf, compressed.

Usage: send.py SENDER START
SENDER is put before the names of services. START is when the order began, epoch seconds. Prints the ids of the traces.
"""

import json
import pathlib
import sys

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.propagators.aws import AwsXRayPropagator
from opentelemetry.sdk.extension.aws.trace import AwsXRayIdGenerator
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, SpanKind, Status, StatusCode

SCENARIO = json.loads(pathlib.Path(__file__).parent.with_name("scenario.json").read_text())


class Service:
    """A service that sends spans, with a provider of its own."""

    def __init__(self, name, start):
        resource = Resource.create({"service.name": name, **SCENARIO["resource"]})
        self.provider = TracerProvider(resource=resource, id_generator=AwsXRayIdGenerator())
        self.provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(compression=Compression.Gzip)))
        self.tracer = self.provider.get_tracer("senders")
        self.start = start

    def time(self, seconds):
        return round((self.start + seconds) * 1e9)

    def begin(self, name, kind, parent, link=None):
        """Begins a span as the scenario describes it, below a context."""
        span = SCENARIO["spans"][name]
        return self.tracer.start_span(
            span["name"], parent, getattr(SpanKind, kind), span["attributes"], [Link(link)] if link else None,
            self.time(span["from"]),
        )

    def end(self, name, span):
        span.end(self.time(SCENARIO["spans"][name]["to"]))


def below(span):
    return trace.set_span_in_context(span)


def order(shop, worker, sender):
    """Takes an order, which a worker handles later. Returns the spans of the request and of the message."""
    request = shop.begin("order", "SERVER", trace.set_span_in_context(trace.INVALID_SPAN))
    request.set_attribute("enduser.id", f"alice-{sender}")
    call = shop.begin("put", "CLIENT", below(request))
    shop.end("put", call)
    message = shop.begin("send", "PRODUCER", below(request))
    carried = {}
    AwsXRayPropagator().inject(carried, below(message))
    shop.end("send", message)
    shop.end("order", request)
    process = worker.begin("process", "CONSUMER", AwsXRayPropagator().extract(carried))
    process.set_attribute("aws.remote.service", f"{sender}-worker")
    worker.end("process", process)
    return request, message


def batch(worker, sender, message):
    """Handles the message again, in a trace that is linked to it."""
    process = worker.begin("batch", "CONSUMER", trace.set_span_in_context(trace.INVALID_SPAN), message.get_span_context())
    process.set_attribute("aws.remote.service", f"{sender}-worker")
    worker.end("batch", process)
    return process


def failure(shop):
    """Fails to charge a card."""
    request = shop.begin("failure", "SERVER", trace.set_span_in_context(trace.INVALID_SPAN))
    charge = shop.begin("charge", "INTERNAL", below(request))
    charge.record_exception(ValueError(SCENARIO["exception"]))
    charge.set_status(Status(StatusCode.ERROR, SCENARIO["exception"]))
    shop.end("charge", charge)
    request.set_status(Status(StatusCode.ERROR))
    shop.end("failure", request)
    return request


def main(sender, start):
    shop, worker = (Service(f"{sender}-{name}", float(start)) for name in ("shop", "worker"))
    request, message = order(shop, worker, sender)
    traces = {"order": request, "batch": batch(worker, sender, message), "failure": failure(shop)}
    for service in (shop, worker):
        service.provider.shutdown()
    print(json.dumps({name: f"{span.get_span_context().trace_id:032x}" for name, span in traces.items()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
