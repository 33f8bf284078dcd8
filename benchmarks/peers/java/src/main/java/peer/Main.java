package peer;

import io.opentelemetry.api.trace.Tracer;
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
        // The default client keeps up to 50 connections open, more than are ever in use.
        new Consumer(settings, SqsClient.create(), new Handler(settings.queueUrl(), tracer)).start();
    }
}
