package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// newClient keeps a connection open for every call that can be in flight; the default of 10 would close and reopen some.
func newClient(ctx context.Context, s settings) (*sqs.Client, error) {
	transport := awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.MaxIdleConnsPerHost = s.pollers + s.concurrency
	})
	configuration, err := config.LoadDefaultConfig(ctx, config.WithHTTPClient(transport))
	if err != nil {
		return nil, err
	}
	return sqs.NewFromConfig(configuration), nil
}

type consumer struct {
	client  *sqs.Client
	handler *handler
	receive *sqs.ReceiveMessageInput
	pollers int
	slots   chan struct{}
	warmUp  int64
	handled atomic.Int64
}

func newConsumer(s settings, client *sqs.Client, h *handler) *consumer {
	return &consumer{
		client:  client,
		handler: h,
		receive: &sqs.ReceiveMessageInput{
			QueueUrl:                    aws.String(s.queueURL),
			MaxNumberOfMessages:         10,
			WaitTimeSeconds:             3,
			MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll},
			MessageAttributeNames:       []string{"All"},
		},
		pollers: s.pollers,
		slots:   make(chan struct{}, s.concurrency),
		warmUp:  s.warmUp,
	}
}

func (c *consumer) run(ctx context.Context) {
	var pollers sync.WaitGroup
	for range c.pollers {
		pollers.Go(func() { c.poll(ctx) })
	}
	pollers.Wait()
}

// poll hands out what it receives, and goes on receiving while that is handled.
func (c *consumer) poll(ctx context.Context) {
	for ctx.Err() == nil {
		output, err := c.client.ReceiveMessage(ctx, c.receive)
		if err != nil {
			fmt.Fprintln(os.Stderr, "receive:", err)
			time.Sleep(time.Second)
			continue
		}
		receivedAt := time.Now()
		batch := &batch{open: len(output.Messages)}
		for i := range output.Messages {
			c.slots <- struct{}{}
			go func() {
				defer func() { <-c.slots }()
				c.work(ctx, batch, &output.Messages[i], receivedAt)
			}()
		}
	}
}

// work handles one message. The last of a batch to be handled deletes those that succeeded.
func (c *consumer) work(ctx context.Context, b *batch, message *types.Message, receivedAt time.Time) {
	err := c.handler.handle(ctx, message, receivedAt)
	if c.handled.Add(1) == c.warmUp {
		fmt.Fprintln(os.Stderr, "warm")
	}
	if last := b.settle(message, err); last && len(b.entries) > 0 {
		c.delete(ctx, b.entries)
	}
}

func (c *consumer) delete(ctx context.Context, entries []types.DeleteMessageBatchRequestEntry) {
	output, err := c.client.DeleteMessageBatch(ctx, &sqs.DeleteMessageBatchInput{
		QueueUrl: c.receive.QueueUrl,
		Entries:  entries,
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "delete:", err)
		return
	}
	for _, failed := range output.Failed {
		fmt.Fprintln(os.Stderr, "delete:", aws.ToString(failed.Code))
	}
}

// batch is what one call received.
type batch struct {
	mutex   sync.Mutex
	open    int
	entries []types.DeleteMessageBatchRequestEntry
}

// settle reports whether the message was the last one of its batch.
func (b *batch) settle(message *types.Message, err error) bool {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if err == nil {
		b.entries = append(b.entries, types.DeleteMessageBatchRequestEntry{
			Id:            aws.String(strconv.Itoa(len(b.entries))),
			ReceiptHandle: message.ReceiptHandle,
		})
	}
	b.open--
	return b.open == 0
}
