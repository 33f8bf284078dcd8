// Sends the orders of scenario.json with OpenTelemetry's SDK for Go, over OTLP/gRPC.
//
// Usage: go run . SCENARIO SENDER START
// SENDER is put before the names of services. START is when the order began, epoch seconds. Prints the ids of the traces.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"math"
	"os"
	"strconv"
	"time"

	"go.opentelemetry.io/contrib/propagators/aws/xray"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

type scenario struct {
	Resource  map[string]any
	Exception string
	Spans     map[string]struct {
		Name       string
		From, To   float64
		Attributes map[string]any
	}
}

// A sender has what its services share.
type sender struct {
	scenario scenario
	name     string
	start    float64
}

// A service sends spans, with a provider of its own.
type service struct {
	sender
	provider *sdk.TracerProvider
}

// A declined card.
type declined struct{ error }

func (s sender) service(ctx context.Context, name string) (service, error) {
	exporter, err := otlptracegrpc.New(ctx)
	if err != nil {
		return service{}, err
	}
	named := attribute.String("service.name", s.name+"-"+name)
	described, err := resource.New(ctx, resource.WithTelemetrySDK(),
		resource.WithAttributes(append(attributes(s.scenario.Resource), named)...))
	if err != nil {
		return service{}, err
	}
	provider := sdk.NewTracerProvider(sdk.WithBatcher(exporter), sdk.WithResource(described),
		sdk.WithIDGenerator(xray.NewIDGenerator()))
	return service{s, provider}, nil
}

func (s sender) time(seconds float64) time.Time {
	return time.Unix(0, int64(math.Round((s.start+seconds)*1e9)))
}

// Begins a span as the scenario describes it.
func (s service) begin(ctx context.Context, name string, kind trace.SpanKind, options ...trace.SpanStartOption) (context.Context, trace.Span) {
	span := s.scenario.Spans[name]
	options = append(options, trace.WithSpanKind(kind), trace.WithTimestamp(s.time(span.From)),
		trace.WithAttributes(attributes(span.Attributes)...))
	return s.provider.Tracer("senders").Start(ctx, span.Name, options...)
}

func (s service) end(name string, span trace.Span) {
	span.End(trace.WithTimestamp(s.time(s.scenario.Spans[name].To)))
}

// Converts attributes as encoding/json reads them.
func attributes(read map[string]any) []attribute.KeyValue {
	var converted []attribute.KeyValue
	for key, value := range read {
		switch value := value.(type) {
		case string:
			converted = append(converted, attribute.String(key, value))
		case bool:
			converted = append(converted, attribute.Bool(key, value))
		case json.Number:
			if whole, err := value.Int64(); err == nil {
				converted = append(converted, attribute.Int64(key, whole))
			} else if number, err := value.Float64(); err == nil {
				converted = append(converted, attribute.Float64(key, number))
			}
		case []any:
			var texts []string
			for _, text := range value {
				texts = append(texts, fmt.Sprint(text))
			}
			converted = append(converted, attribute.StringSlice(key, texts))
		}
	}
	return converted
}

func order(ctx context.Context, shop, worker service) (request, message trace.Span) {
	inside, request := shop.begin(ctx, "order", trace.SpanKindServer)
	request.SetAttributes(attribute.String("enduser.id", "alice-"+shop.name))
	_, call := shop.begin(inside, "put", trace.SpanKindClient)
	shop.end("put", call)
	sending, message := shop.begin(inside, "send", trace.SpanKindProducer)
	carried := propagation.MapCarrier{}
	xray.Propagator{}.Inject(sending, carried)
	shop.end("send", message)
	shop.end("order", request)
	_, process := worker.begin(xray.Propagator{}.Extract(ctx, carried), "process", trace.SpanKindConsumer)
	process.SetAttributes(attribute.String("aws.remote.service", worker.name+"-worker"))
	worker.end("process", process)
	return request, message
}

func batch(ctx context.Context, worker service, message trace.Span) trace.Span {
	link := trace.Link{SpanContext: message.SpanContext()}
	_, process := worker.begin(ctx, "batch", trace.SpanKindConsumer, trace.WithLinks(link))
	process.SetAttributes(attribute.String("aws.remote.service", worker.name+"-worker"))
	worker.end("batch", process)
	return process
}

func failure(ctx context.Context, shop service) trace.Span {
	inside, request := shop.begin(ctx, "failure", trace.SpanKindServer)
	_, charge := shop.begin(inside, "charge", trace.SpanKindInternal)
	charge.RecordError(declined{errors.New(shop.scenario.Exception)})
	charge.SetStatus(codes.Error, shop.scenario.Exception)
	shop.end("charge", charge)
	request.SetStatus(codes.Error, "")
	shop.end("failure", request)
	return request
}

func run(ctx context.Context, file, name, start string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	s := sender{name: name}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&s.scenario); err != nil {
		return err
	}
	if s.start, err = strconv.ParseFloat(start, 64); err != nil {
		return err
	}
	shop, err := s.service(ctx, "shop")
	if err != nil {
		return err
	}
	worker, err := s.service(ctx, "worker")
	if err != nil {
		return err
	}
	request, message := order(ctx, shop, worker)
	spans := map[string]trace.Span{
		"order": request, "batch": batch(ctx, worker, message), "failure": failure(ctx, shop),
	}
	if err := errors.Join(shop.provider.Shutdown(ctx), worker.provider.Shutdown(ctx)); err != nil {
		return err
	}
	ids := map[string]string{}
	for name, span := range spans {
		ids[name] = span.SpanContext().TraceID().String()
	}
	return json.NewEncoder(os.Stdout).Encode(ids)
}

func main() {
	if err := run(context.Background(), os.Args[1], os.Args[2], os.Args[3]); err != nil {
		log.Fatal(err)
	}
}
