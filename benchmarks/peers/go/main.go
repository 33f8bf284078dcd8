// Command peer drains an SQS queue as a service written with the AWS SDK for Go and OpenTelemetry would.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strconv"
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	settings, err := readSettings()
	if err != nil {
		return err
	}
	provider, err := newTracerProvider(ctx)
	if err != nil {
		return fmt.Errorf("telemetry: %w", err)
	}
	client, err := newClient(ctx, settings)
	if err != nil {
		return fmt.Errorf("SQS client: %w", err)
	}
	logger := slog.New(slog.DiscardHandler)
	if settings.log {
		logger = slog.New(slog.NewJSONHandler(os.Stdout, nil)).With("service", serviceName)
	}
	handler := newHandler(settings, provider, logger)
	newConsumer(settings, client, handler).run(ctx)
	return nil
}

type settings struct {
	queueURL    string
	pollers     int
	concurrency int
	warmUp      int64
	log         bool
}

func readSettings() (settings, error) {
	s := settings{queueURL: os.Getenv("QUEUE_URL"), log: os.Getenv("LOG") != "off"}
	if s.queueURL == "" {
		return s, fmt.Errorf("QUEUE_URL is not set")
	}
	var err error
	if s.pollers, err = number("CONSUMER_MAX_POLLERS", 4); err != nil {
		return s, err
	}
	if s.concurrency, err = number("CONSUMER_CONCURRENCY", 32); err != nil {
		return s, err
	}
	warmUp, err := number("WARM_UP", 0)
	s.warmUp = int64(warmUp)
	return s, err
}

func number(name string, otherwise int) (int, error) {
	text := os.Getenv(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%s is not a number: %q", name, text)
	}
	return n, nil
}
