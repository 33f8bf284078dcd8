package peer;

import io.opentelemetry.api.trace.Tracer;
import software.amazon.awssdk.http.crt.AwsCrtHttpClient;
import software.amazon.awssdk.services.sqs.SqsClient;

/** Drains an SQS queue as a service written with the AWS SDK for Java and OpenTelemetry would. */
public final class Main {
    public static void main(String[] arguments) {
        Settings settings = Settings.read();
        if (!settings.log()) {
            // Read by logback.xml, at the first logger.
            System.setProperty("LOG_LEVEL", "OFF");
        }
        Tracer tracer = Telemetry.tracerProvider().get(Telemetry.SERVICE);
        new Consumer(settings, client(settings), new Handler(settings.queueUrl(), tracer)).start();
    }

    /** Keeps a connection for every call that can be in flight. */
    private static SqsClient client(Settings settings) {
        int calls = settings.pollers() + settings.concurrency();
        return SqsClient.builder().httpClient(AwsCrtHttpClient.builder().maxConcurrency(calls).build()).build();
    }
}
