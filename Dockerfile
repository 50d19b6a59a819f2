# The router with the ONNX Runtime library and the local model: no shell, not root, nothing written at run time.
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN apt-get update && apt-get install -y --no-install-recommends python3-pip && rm -rf /var/lib/apt/lists/*
RUN rustup component add llvm-tools && make release && python3 src/fallback/assets/obtain.py /model

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /src/target/release/overspill /overspill
COPY --from=build /src/LICENSE /LICENSE
COPY --from=build /model /model
# The pinned library reports nothing; a later one would unless told not to before it loads.
ENV ORT_DISABLE_TELEMETRY=1
EXPOSE 8080 15000
ENTRYPOINT ["/overspill"]
CMD ["run"]
