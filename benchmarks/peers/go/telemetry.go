package main

import (
	"context"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

const serviceName = "peer-go"

// newTracerProvider exports to OTEL_EXPORTER_OTLP_ENDPOINT. The queue is longer than its default of 2,048 spans, which a
// full queue of messages overruns.
func newTracerProvider(ctx context.Context) (*trace.TracerProvider, error) {
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, err
	}
	described, err := resource.Merge(
		resource.Default(),
		resource.NewWithAttributes(semconv.SchemaURL, semconv.ServiceName(serviceName)),
	)
	if err != nil {
		return nil, err
	}
	return trace.NewTracerProvider(
		trace.WithBatcher(exporter, trace.WithMaxQueueSize(16_384)),
		trace.WithSampler(trace.ParentBased(trace.AlwaysSample())),
		trace.WithResource(described),
	), nil
}
