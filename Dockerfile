# syntax=docker/dockerfile:1
# The router: one program, the ONNX Runtime library and the licences of both. No shell, not root, nothing written.
#
#   docker buildx build --platform linux/amd64,linux/arm64 --tag REGISTRY/overspill:0.1.0 --push .
#   docker buildx build --platform linux/amd64,linux/arm64 --tag REGISTRY/overspill-model:0.1.0 --target model --push .
#
# The second fills a volume with the local model, which is mounted at /model (manifests/components/local-model).

# Training runs the program, so that this stage is of the architecture that it builds for.
FROM rust:1.95-bookworm AS build
WORKDIR /src
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3-pip \
    && rm -rf /var/lib/apt/lists/*
RUN rustup component add llvm-tools
COPY . .
# `release` is trained by a load, in three builds; `--build-arg BUILD=build` makes one, untrained, in a third of the time.
ARG BUILD=release
RUN make "$BUILD"
# Of every crate that was built with and of Rust's own library, as their authors wrote them. crates.txt names each crate of the
# program with its licence: some packages have no file of it.
RUN mkdir /licences \
    && cp LICENSE /licences/LICENSE \
    && cargo tree --locked --edges normal --prefix none --format '{p}: {l}' \
        | sed '/^overspill /d; s/ (\*)$//' | sort --unique > /licences/crates.txt \
    && cp "$(rustc --print sysroot)/share/doc/rust/COPYRIGHT-library.html" /licences/rust.html \
    && for registry in "$CARGO_HOME"/registry/src/*; do \
        (cd "$registry" && find . -maxdepth 3 -type f \( -iname 'licen[cs]e*' -o -iname 'copying*' -o -iname 'notice*' \) \
            -exec cp --parents --target-directory=/licences {} +) || exit; \
    done

# Downloads alone: it runs where the image is built, and takes what fits where the image runs.
FROM --platform=$BUILDPLATFORM python:3.13-slim-bookworm AS library
ARG TARGETARCH
COPY src/fallback/assets /assets
RUN python3 /assets/obtain.py --library "$TARGETARCH" /library

FROM python:3.13-slim-bookworm AS model
COPY src/fallback/assets /assets
ENV PIP_NO_CACHE_DIR=1
USER 65532:65532
ENTRYPOINT ["python3", "/assets/obtain.py"]
CMD ["/model"]

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /src/target/release/overspill /overspill
COPY --from=build /licences /licences
COPY --from=library /library/libonnxruntime.so.1.28.0 /usr/lib/overspill/libonnxruntime.so.1.28.0
COPY --from=library /library/LICENSE /library/ThirdPartyNotices.txt /licences/onnxruntime/
# The local tier is on once a volume with the model is mounted at /model. The pinned library reports nothing; a later one
# would unless told not to before it loads.
ENV OVERSPILL_MODEL=/model \
    OVERSPILL_MODEL_LIBRARY=/usr/lib/overspill/libonnxruntime.so.1.28.0 \
    ORT_DISABLE_TELEMETRY=1
LABEL org.opencontainers.image.title="overspill" \
    org.opencontainers.image.description="A traffic router for inference pools that spills to a local model when they are full" \
    org.opencontainers.image.licenses="Apache-2.0"
USER 65532:65532
EXPOSE 8080 15000 9090 6443
ENTRYPOINT ["/overspill"]
CMD ["run"]
