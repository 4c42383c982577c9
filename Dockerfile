# Builds with the same scripts as a person does; the result is one binary and certificates.
FROM rust:1.95-bookworm AS build
COPY --from=node:22-bookworm-slim /usr/local /usr/local
WORKDIR /rondo
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/root/.cache/rondo \
    --mount=type=cache,target=/rondo/target \
    scripts/build && cp target/release/rondo /usr/local/bin/rondo

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates tzdata \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /data rondo \
    && install -d -o rondo -g rondo -m 700 /data
COPY --from=build /usr/local/bin/rondo /usr/local/bin/rondo
USER rondo
ENV RONDO_LISTEN=0.0.0.0:3000 RONDO_DATA_DIR=/data
VOLUME /data
EXPOSE 3000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s CMD ["rondo", "healthcheck"]
ENTRYPOINT ["rondo"]
CMD ["serve"]
