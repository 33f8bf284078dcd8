package peer;

import static io.opentelemetry.semconv.incubating.AwsIncubatingAttributes.AWS_SQS_QUEUE_URL;
import static io.opentelemetry.semconv.incubating.MessagingIncubatingAttributes.MESSAGING_DESTINATION_NAME;
import static io.opentelemetry.semconv.incubating.MessagingIncubatingAttributes.MESSAGING_MESSAGE_BODY_SIZE;
import static io.opentelemetry.semconv.incubating.MessagingIncubatingAttributes.MESSAGING_MESSAGE_CONVERSATION_ID;
import static io.opentelemetry.semconv.incubating.MessagingIncubatingAttributes.MESSAGING_MESSAGE_ID;
import static io.opentelemetry.semconv.incubating.MessagingIncubatingAttributes.MESSAGING_OPERATION_NAME;
import static io.opentelemetry.semconv.incubating.MessagingIncubatingAttributes.MESSAGING_OPERATION_TYPE;
import static io.opentelemetry.semconv.incubating.MessagingIncubatingAttributes.MESSAGING_SYSTEM;
import static software.amazon.awssdk.services.sqs.model.MessageSystemAttributeName.APPROXIMATE_RECEIVE_COUNT;
import static software.amazon.awssdk.services.sqs.model.MessageSystemAttributeName.SENT_TIMESTAMP;

import io.opentelemetry.api.common.AttributeKey;
import io.opentelemetry.api.common.Attributes;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.api.trace.SpanKind;
import io.opentelemetry.api.trace.StatusCode;
import io.opentelemetry.api.trace.Tracer;
import io.opentelemetry.context.Context;
import io.opentelemetry.context.Scope;
import io.opentelemetry.context.propagation.TextMapGetter;
import io.opentelemetry.contrib.awsxray.propagator.AwsXrayPropagator;
import io.opentelemetry.semconv.incubating.MessagingIncubatingAttributes.MessagingOperationTypeIncubatingValues;
import io.opentelemetry.semconv.incubating.MessagingIncubatingAttributes.MessagingSystemIncubatingValues;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.slf4j.event.Level;
import software.amazon.awssdk.services.sqs.model.Message;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.ObjectReader;
import tools.jackson.databind.json.JsonMapper;

/** Continues the trace of each event and writes one log line. */
final class Handler {
    private static final AttributeKey<String> EVENT_ID = AttributeKey.stringKey("event_id");
    private static final AttributeKey<String> EVENT_TYPE = AttributeKey.stringKey("event_type");
    private static final AttributeKey<String> OUTCOME = AttributeKey.stringKey("outcome");
    private static final String APPLIED = "applied";
    private static final String RETRY = "retry";
    private static final Event.Metadata NO_METADATA = new Event.Metadata("", "", "", 0, "", "");
    private static final Event UNREADABLE = new Event("", new Event.Detail(NO_METADATA, new Event.Data("")));

    private final Logger log = LoggerFactory.getLogger(Handler.class);
    private final ObjectReader reader = JsonMapper.shared().readerFor(Event.class);
    private final AwsXrayPropagator propagator = AwsXrayPropagator.getInstance();
    private final Tracer tracer;
    private final String spanName;
    private final Attributes source;

    Handler(String queueUrl, Tracer tracer) {
        String queue = queueUrl.substring(queueUrl.lastIndexOf('/') + 1);
        this.tracer = tracer;
        spanName = "process " + queue;
        source = Attributes.builder()
            .put(MESSAGING_SYSTEM, MessagingSystemIncubatingValues.AWS_SQS)
            .put(MESSAGING_OPERATION_NAME, "process")
            .put(MESSAGING_OPERATION_TYPE, MessagingOperationTypeIncubatingValues.PROCESS)
            .put(MESSAGING_DESTINATION_NAME, queue)
            .put(AWS_SQS_QUEUE_URL, queueUrl)
            .build();
    }

    /** Returns whether the message was handled and is to be deleted. */
    boolean handle(Message message, long receivedAt) {
        Event event = parse(message.body());
        String outcome = event == UNREADABLE ? RETRY : APPLIED;
        Context parent = propagator.extract(Context.root(), event.detail().metadata().trace(), TraceHeader.GETTER);
        Span span = tracer.spanBuilder(spanName).setSpanKind(SpanKind.CONSUMER).setParent(parent).startSpan();
        try (Scope scope = span.makeCurrent()) {
            if (span.isRecording()) {
                describe(span, message, event, outcome);
            }
            log(span, message, event, receivedAt, outcome);
        } finally {
            span.end();
        }
        return outcome.equals(APPLIED);
    }

    private Event parse(String body) {
        try {
            Event event = reader.readValue(body);
            Event.Detail detail = event.detail();
            return detail == null || detail.metadata() == null || detail.data() == null ? UNREADABLE : event;
        } catch (JacksonException unreadable) {
            return UNREADABLE;
        }
    }

    private void describe(Span span, Message message, Event event, String outcome) {
        Event.Metadata metadata = event.detail().metadata();
        span.setAllAttributes(source)
            .setAttribute(MESSAGING_MESSAGE_ID, message.messageId())
            .setAttribute(MESSAGING_MESSAGE_BODY_SIZE, (long) message.body().length())
            .setAttribute(MESSAGING_MESSAGE_CONVERSATION_ID, metadata.correlationId())
            .setAttribute(EVENT_ID, metadata.eventId())
            .setAttribute(EVENT_TYPE, event.type())
            .setAttribute(OUTCOME, outcome);
        if (outcome.equals(RETRY)) {
            span.setStatus(StatusCode.ERROR, "unreadable event");
        }
    }

    private void log(Span span, Message message, Event event, long receivedAt, String outcome) {
        Event.Metadata metadata = event.detail().metadata();
        String trace = span.getSpanContext().getTraceId();
        log.atLevel(outcome.equals(APPLIED) ? Level.INFO : Level.WARN)
            .addKeyValue("event_type", event.type())
            .addKeyValue("event_id", metadata.eventId())
            .addKeyValue("correlation_id", metadata.correlationId())
            .addKeyValue("customer_number", event.detail().data().customerNumber())
            .addKeyValue("message_id", message.messageId())
            .addKeyValue("attempt", number(message.attributes().get(APPROXIMATE_RECEIVE_COUNT)))
            .addKeyValue("waiting_ms", Math.max(0, receivedAt - number(message.attributes().get(SENT_TIMESTAMP))))
            .addKeyValue("processing_ms", System.currentTimeMillis() - receivedAt)
            .addKeyValue("outcome", outcome)
            .addKeyValue("trace_id", "1-" + trace.substring(0, 8) + "-" + trace.substring(8))
            .log("event");
    }

    private static long number(String attribute) {
        return attribute == null ? 0 : Long.parseLong(attribute);
    }

    /** Lets the propagator read the header of an event. */
    private enum TraceHeader implements TextMapGetter<String> {
        GETTER;

        @Override
        public Iterable<String> keys(String header) {
            return List.of("X-Amzn-Trace-Id");
        }

        @Override
        public String get(String header, String key) {
            return header;
        }
    }
}
