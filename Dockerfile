# The image of the controller. It needs BuildKit, the default since Docker 23:
#   docker build --build-arg VERSION=0.1.0 --build-arg REVISION="$(git rev-parse HEAD)" -t longshore:0.1.0 .
ARG RUST_VERSION=1.95

FROM rust:${RUST_VERSION}-slim-bookworm AS build
WORKDIR /source
COPY . .
# The caches stay on the builder and are no part of any layer, so the program is copied out of them.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/source/target \
    cargo build --release --locked --package longshore --bin longshore \
    && install -D --mode=0755 target/release/longshore /out/longshore

# glibc, libgcc and certificate authorities, without a shell. 65532 is its user "nonroot".
FROM gcr.io/distroless/cc-debian12:nonroot
ARG VERSION=0.0.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Longshore" \
      org.opencontainers.image.description="From Dockerfile to running container, as a resource that heals itself" \
      org.opencontainers.image.source="https://github.com/longshore-dev/longshore" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /out/longshore /usr/local/bin/longshore
# By number: Kubernetes cannot tell that a name is not root.
USER 65532:65532
# Probes. Metrics are on loopback unless --metrics-address says otherwise.
EXPOSE 8081
ENTRYPOINT ["/usr/local/bin/longshore"]
CMD ["controller"]
