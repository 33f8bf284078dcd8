package peer;

import io.opentelemetry.api.common.AttributeKey;
import io.opentelemetry.api.common.Attributes;
import io.opentelemetry.exporter.otlp.http.trace.OtlpHttpSpanExporter;
import io.opentelemetry.sdk.resources.Resource;
import io.opentelemetry.sdk.trace.SdkTracerProvider;
import io.opentelemetry.sdk.trace.export.BatchSpanProcessor;
import io.opentelemetry.sdk.trace.samplers.Sampler;

final class Telemetry {
    static final String SERVICE = "peer-java";

    private static final AttributeKey<String> SERVICE_NAME = AttributeKey.stringKey("service.name");

    private Telemetry() {}

    /** The queue is longer than its default of 2,048 spans, which a full queue of messages overruns. */
    static SdkTracerProvider tracerProvider() {
        String endpoint = System.getenv("OTEL_EXPORTER_OTLP_ENDPOINT") + "/v1/traces";
        OtlpHttpSpanExporter exporter = OtlpHttpSpanExporter.builder().setEndpoint(endpoint).build();
        return SdkTracerProvider.builder()
            .setSampler(Sampler.parentBased(Sampler.alwaysOn()))
            .setResource(Resource.getDefault().merge(Resource.create(Attributes.of(SERVICE_NAME, SERVICE))))
            .addSpanProcessor(BatchSpanProcessor.builder(exporter).setMaxQueueSize(16_384).build())
            .build();
    }
}
