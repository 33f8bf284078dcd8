"""What the consumer exports and logs."""

import logging

import orjson
import structlog
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased

SERVICE = "peer-python"


def tracer_provider():
    """Returns a provider that exports to OTEL_EXPORTER_OTLP_ENDPOINT.

    Its queue is longer than the default of 2,048 spans, which a full queue of messages overruns.
    """
    provider = TracerProvider(sampler=ParentBased(ALWAYS_ON), resource=Resource.create({SERVICE_NAME: SERVICE}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(), max_queue_size=16_384))
    return provider


def logger(enabled):
    """Returns a logger that is set up as structlog recommends where logging must be fast."""
    structlog.configure(
        cache_logger_on_first_use=True,
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO if enabled else logging.CRITICAL),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="timestamp"),
            structlog.processors.EventRenamer("message"),
            structlog.processors.JSONRenderer(serializer=orjson.dumps),
        ],
        logger_factory=structlog.BytesLoggerFactory(),
    )
    return structlog.get_logger().bind(service=SERVICE)
