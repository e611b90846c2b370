# Swarm in a container: built in one stage, and only what runs in the other.
#   docker build -t swarm .
#   docker run --rm -it --name swarm --security-opt seccomp=unconfined -p 127.0.0.1:7420:7420 swarm
#   docker exec swarm swarm get nodes
# Agent hosts make a seccomp filter of their own, which is why the container's may stand back.
# The image has no compiler for agents: build modules outside, with clang and wasi-libc, and push them with
# `swarm apply`. A `swarm` outside uses a copy of the context ~/.config/swarm/contexts/dev.yaml of the container.
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
# A volume takes its owner and mode from the folder that the image has in its place.
RUN mkdir -p -m 0700 .local/share/swarm
VOLUME /home/swarm/.local/share/swarm
# A published port arrives at the container's own address, not at its loopback. The certificate names localhost;
# whoever uses another name says it with -e SWARM_API_HOSTS=NAME.
ENV SWARM_API_LISTEN=0.0.0.0:7420
EXPOSE 7420
CMD ["swarmd", "--dev"]
