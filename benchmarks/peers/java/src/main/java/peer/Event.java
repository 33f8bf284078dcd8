package peer;

import com.fasterxml.jackson.annotation.JsonProperty;

/** What EventBridge puts on a queue, as far as the consumer reads it. */
record Event(@JsonProperty(value = "detail-type", required = true) String type, Detail detail) {
    record Detail(Metadata metadata, Data data) {}

    record Metadata(
        @JsonProperty("event_id") String eventId,
        @JsonProperty("occurred_at") String occurredAt,
        @JsonProperty("published_at") String publishedAt,
        @JsonProperty("schema_version") int schemaVersion,
        @JsonProperty("correlation_id") String correlationId,
        @JsonProperty("trace") String trace) {}

    record Data(@JsonProperty("customer_number") String customerNumber) {}
}
