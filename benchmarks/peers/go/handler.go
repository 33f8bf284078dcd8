package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"path"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"go.opentelemetry.io/contrib/propagators/aws/xray"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

const (
	eventID   = attribute.Key("event_id")
	eventType = attribute.Key("event_type")
	outcome   = attribute.Key("outcome")

	applied = "applied"
	retry   = "retry"
)

var errNoEvent = errors.New("body without an event")

type event struct {
	DetailType string `json:"detail-type"`
	Detail     struct {
		Metadata metadata `json:"metadata"`
		Data     struct {
			CustomerNumber string `json:"customer_number"`
		} `json:"data"`
	} `json:"detail"`
}

type metadata struct {
	EventID       string    `json:"event_id"`
	OccurredAt    time.Time `json:"occurred_at"`
	PublishedAt   time.Time `json:"published_at"`
	SchemaVersion int       `json:"schema_version"`
	CorrelationID string    `json:"correlation_id"`
	Trace         string    `json:"trace"`
}

type handler struct {
	tracer   trace.Tracer
	logger   *slog.Logger
	spanName string
	// source are the attributes that every span has.
	source []attribute.KeyValue
}

func newHandler(s settings, provider trace.TracerProvider, logger *slog.Logger) *handler {
	queue := path.Base(s.queueURL)
	return &handler{
		tracer:   provider.Tracer(serviceName),
		logger:   logger,
		spanName: "process " + queue,
		source: []attribute.KeyValue{
			semconv.MessagingSystemAWSSQS,
			semconv.MessagingOperationName("process"),
			semconv.MessagingOperationTypeProcess,
			semconv.MessagingDestinationName(queue),
			semconv.AWSSQSQueueURL(s.queueURL),
		},
	}
}

// handle continues the event's trace and writes one log line.
func (h *handler) handle(ctx context.Context, message *types.Message, receivedAt time.Time) error {
	var received event
	err := json.Unmarshal([]byte(*message.Body), &received)
	meta := &received.Detail.Metadata
	if err == nil && meta.EventID == "" {
		err = errNoEvent
	}

	ctx = xray.Propagator{}.Extract(ctx, carrier(meta.Trace))
	ctx, span := h.tracer.Start(ctx, h.spanName, trace.WithSpanKind(trace.SpanKindConsumer))
	defer span.End()
	result := applied
	if err != nil {
		result = retry
		span.SetStatus(codes.Error, "unreadable event")
	}
	if span.IsRecording() {
		span.SetAttributes(h.source...)
		span.SetAttributes(
			semconv.MessagingMessageID(aws.ToString(message.MessageId)),
			semconv.MessagingMessageConversationID(meta.CorrelationID),
			semconv.MessagingMessageBodySize(len(*message.Body)),
			eventID.String(meta.EventID),
			eventType.String(received.DetailType),
			outcome.String(result),
		)
	}
	h.log(ctx, message, &received, receivedAt, result)
	return err
}

func (h *handler) log(ctx context.Context, message *types.Message, received *event, receivedAt time.Time, result string) {
	level := slog.LevelInfo
	if result != applied {
		level = slog.LevelWarn
	}
	if !h.logger.Enabled(ctx, level) {
		return
	}
	attempt, _ := strconv.Atoi(message.Attributes["ApproximateReceiveCount"])
	sentAt, _ := strconv.ParseInt(message.Attributes["SentTimestamp"], 10, 64)
	h.logger.LogAttrs(ctx, level, "event",
		slog.String("event_type", received.DetailType),
		slog.String("event_id", received.Detail.Metadata.EventID),
		slog.String("correlation_id", received.Detail.Metadata.CorrelationID),
		slog.String("customer_number", received.Detail.Data.CustomerNumber),
		slog.String("message_id", aws.ToString(message.MessageId)),
		slog.Int("attempt", attempt),
		slog.Int64("waiting_ms", max(0, receivedAt.UnixMilli()-sentAt)),
		slog.Int64("processing_ms", time.Since(receivedAt).Milliseconds()),
		slog.String("outcome", result),
		slog.String("trace_id", xrayID(trace.SpanContextFromContext(ctx).TraceID())),
	)
}

// xrayID writes a trace id as X-Ray does.
func xrayID(id trace.TraceID) string {
	text := id.String()
	return "1-" + text[:8] + "-" + text[8:]
}

// carrier is the header of an event.
type carrier string

func (c carrier) Get(string) string { return string(c) }
func (carrier) Set(string, string)  {}
func (carrier) Keys() []string      { return []string{"X-Amzn-Trace-Id"} }
