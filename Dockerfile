# One image for each service, and one for the command line with the local cloud:
#
#   docker build --build-arg SERVICE=ingest --build-arg REVISION=$(git rev-parse HEAD) --tag foostore/ingest .
#   docker build --target foostore --tag foostore/foostore .
#
#   SERVICE    the service, a folder of services/
#   REVISION   the commit of the build: label, REVISION in the environment, service.version
#   VERSION    the version in Cargo.toml
#   PROFILE    cargo's profile; dev compiles faster but yields large images
#
# One call of cargo compiles all services, so that every further image is only a copy. Dependencies are a separate layer,
# which a change of the workspace's sources leaves untouched. A builder other than BuildKit runs all stages, including
# that of the command line.

ARG RUST_IMAGE=rust:1.95.0-slim-bookworm
# Distroless has no version tags. For reproducible builds, use a digest: …:nonroot@sha256:…
ARG RUNTIME_IMAGE=gcr.io/distroless/cc-debian12:nonroot

# The workspace with only manifests and empty crates: unchanged as long as no manifest changes.
FROM ${RUST_IMAGE} AS manifests
WORKDIR /workspace
COPY . .
RUN find . -type f ! -name Cargo.toml ! -name Cargo.lock ! -path '*/src/lib.rs' ! -path '*/src/main.rs' -delete \
    && find . -type d -empty -delete \
    && find . -name lib.rs -exec truncate -s 0 {} + \
    && find . -name main.rs -exec sh -c 'echo "fn main() { }" | tee "$@" >/dev/null' sh {} +

# The dependencies of the services. A service is a folder of services/ with a main.rs.
FROM ${RUST_IMAGE} AS dependencies
ARG PROFILE=release
WORKDIR /workspace
COPY --from=manifests /workspace .
RUN cargo build --locked --profile "$PROFILE" \
        $(find services -name main.rs | cut -d/ -f2 | sed 's/^/--package=/')

FROM dependencies AS services
ARG PROFILE=release
COPY crates crates
COPY services services
# The sources must be newer than the empty crates, or cargo would consider the latter up to date.
RUN find crates services -name '*.rs' -exec touch {} + \
    && services=$(find services -path '*/src/main.rs' | cut -d/ -f2) \
    && cargo build --locked --profile "$PROFILE" $(printf -- '--package=%s ' $services) \
    && for service in $services; do install -D target/*/"$service" "/out/service-$service"; done
# Symbols are a fifth of a binary; with them an image would exceed 40 MB.
RUN strip /out/*

# The command line with the local cloud, no part of which is in a service's image.
FROM dependencies AS command-line
ARG PROFILE=release
RUN cargo build --locked --profile "$PROFILE" --package foostore --bins
COPY crates crates
COPY services services
COPY cli cli
COPY otel-collector.yaml .
RUN find cli crates services -name '*.rs' -exec touch {} + \
    && cargo build --locked --profile "$PROFILE" --package foostore --bins \
    && install -D target/*/foostore /out/foostore
RUN strip /out/foostore && mkdir /out/data

# The base of all images: only the C library, certificates and an unprivileged user.
FROM ${RUNTIME_IMAGE} AS runtime
ARG VERSION=0.1.0
ARG REVISION
LABEL org.opencontainers.image.vendor="FooStore" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
ENV REVISION=${REVISION}
USER 65532:65532

FROM runtime AS foostore
LABEL org.opencontainers.image.title="foostore"
COPY --from=command-line /out/foostore /foostore
# Where `cloud --data-dir=/data` keeps mails and traces: a new volume takes over the owner of the directory.
COPY --from=command-line --chown=65532:65532 /out/data /data
ENTRYPOINT ["/foostore"]
CMD ["--help"]

FROM runtime AS service
ARG SERVICE
LABEL org.opencontainers.image.title="${SERVICE}"
COPY --from=services /out/service-${SERVICE} /service
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 CMD ["/service", "health"]
ENTRYPOINT ["/service"]
