package peer;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicInteger;
import software.amazon.awssdk.core.exception.SdkException;
import software.amazon.awssdk.services.sqs.SqsClient;
import software.amazon.awssdk.services.sqs.model.DeleteMessageBatchRequestEntry;
import software.amazon.awssdk.services.sqs.model.Message;
import software.amazon.awssdk.services.sqs.model.MessageSystemAttributeName;
import software.amazon.awssdk.services.sqs.model.ReceiveMessageRequest;

/** Hands out what its pollers receive, and deletes in batches what was handled. */
final class Consumer {
    private final Settings settings;
    private final SqsClient sqs;
    private final Handler handler;
    private final ReceiveMessageRequest receive;
    private final ExecutorService workers;
    private final Semaphore slots;
    private final AtomicInteger handled = new AtomicInteger();

    Consumer(Settings settings, SqsClient sqs, Handler handler) {
        this.settings = settings;
        this.sqs = sqs;
        this.handler = handler;
        receive = ReceiveMessageRequest.builder()
            .queueUrl(settings.queueUrl())
            .maxNumberOfMessages(10)
            .waitTimeSeconds(3)
            .messageSystemAttributeNames(MessageSystemAttributeName.ALL)
            .messageAttributeNames("All")
            .build();
        workers = Executors.newFixedThreadPool(settings.concurrency());
        slots = new Semaphore(settings.concurrency());
    }

    void start() {
        for (int poller = 0; poller < settings.pollers(); poller++) {
            new Thread(this::poll, "poller-" + poller).start();
        }
    }

    private void poll() {
        try {
            while (true) {
                try {
                    handOut(sqs.receiveMessage(receive).messages());
                } catch (SdkException failure) {
                    System.err.println("receive: " + failure.getMessage());
                    Thread.sleep(1_000);
                }
            }
        } catch (InterruptedException stopped) {
            Thread.currentThread().interrupt();
        }
    }

    private void handOut(List<Message> messages) throws InterruptedException {
        long receivedAt = System.currentTimeMillis();
        Batch batch = new Batch(messages.size());
        for (Message message : messages) {
            slots.acquire();
            workers.execute(() -> work(batch, message, receivedAt));
        }
    }

    /** Handles one message. The last of a batch to be handled deletes those that succeeded. */
    private void work(Batch batch, Message message, long receivedAt) {
        try {
            boolean done = handle(message, receivedAt);
            if (handled.incrementAndGet() == settings.warmUp()) {
                System.err.println("warm");
            }
            if (batch.settle(message, done) && !batch.entries.isEmpty()) {
                delete(batch.entries);
            }
        } finally {
            slots.release();
        }
    }

    private boolean handle(Message message, long receivedAt) {
        try {
            return handler.handle(message, receivedAt);
        } catch (RuntimeException failure) {
            System.err.println("handle: " + failure);
            return false;
        }
    }

    private void delete(List<DeleteMessageBatchRequestEntry> entries) {
        try {
            sqs.deleteMessageBatch(request -> request.queueUrl(settings.queueUrl()).entries(entries))
                .failed()
                .forEach(failed -> System.err.println("delete: " + failed.code()));
        } catch (SdkException failure) {
            System.err.println("delete: " + failure.getMessage());
        }
    }

    /** What one call received. */
    private static final class Batch {
        private final List<DeleteMessageBatchRequestEntry> entries;
        private int open;

        Batch(int size) {
            entries = new ArrayList<>(size);
            open = size;
        }

        /** Returns whether the message was the last one of its batch. */
        synchronized boolean settle(Message message, boolean done) {
            if (done) {
                entries.add(DeleteMessageBatchRequestEntry.builder()
                    .id(Integer.toString(entries.size()))
                    .receiptHandle(message.receiptHandle())
                    .build());
            }
            open--;
            return open == 0;
        }
    }
}
