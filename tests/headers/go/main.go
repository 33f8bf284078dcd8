// Reads trace headers with OpenTelemetry's propagator for Go: a JSON list of headers in, a list of readings out.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"go.opentelemetry.io/contrib/propagators/aws/xray"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

func main() {
	var headers []string
	if err := json.NewDecoder(os.Stdin).Decode(&headers); err != nil {
		panic(err)
	}
	readings := make([]*string, len(headers))
	for i, header := range headers {
		carrier := propagation.MapCarrier{"X-Amzn-Trace-Id": header}
		span := trace.SpanContextFromContext(xray.Propagator{}.Extract(context.Background(), carrier))
		if span.IsValid() {
			sampled := 0
			if span.IsSampled() {
				sampled = 1
			}
			reading := fmt.Sprintf("%s %s %d", span.TraceID(), span.SpanID(), sampled)
			readings[i] = &reading
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(readings); err != nil {
		panic(err)
	}
}
