package peer;

record Settings(String queueUrl, int pollers, int concurrency, int warmUp, boolean log) {
    static Settings read() {
        String queueUrl = System.getenv("QUEUE_URL");
        if (queueUrl == null) {
            throw new IllegalArgumentException("QUEUE_URL is not set");
        }
        return new Settings(
            queueUrl,
            number("CONSUMER_MAX_POLLERS", 4),
            number("CONSUMER_CONCURRENCY", 32),
            number("WARM_UP", 0),
            !"off".equals(System.getenv("LOG")));
    }

    private static int number(String name, int otherwise) {
        String text = System.getenv(name);
        return text == null ? otherwise : Integer.parseInt(text);
    }
}
