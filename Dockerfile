# Swarm in a container: built in one stage, and only what runs in the other.
#   docker build -t swarm . && docker run --rm -it --security-opt seccomp=unconfined swarm
# Agent hosts make a seccomp filter of their own, which is why the container's may stand back.
FROM debian:12 AS build
RUN apt-get update && apt-get install -y --no-install-recommends git make ca-certificates
WORKDIR /src
COPY . .
RUN make && make install DESTDIR=/out PREFIX=/usr/local

FROM debian:12-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates libcurl4 libuv1 libnghttp2-14 \
        libssl3 libsqlite3-0 libjansson4 libyaml-0-2 liblz4-1 zlib1g \
        libseccomp2 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --shell /bin/bash swarm
COPY --from=build /out/ /
USER swarm
WORKDIR /home/swarm
EXPOSE 7420
CMD ["swarmd", "--dev"]
