# Dockerfile - dkvd and dkvctl in an image: one stage builds them, the next has only what they need to run.
#
#   docker build -t dkv .
#   docker run --rm dkv --help
#
# docker-compose.yml runs three nodes of it; doc/containers.md tells how, and what to do when one fails.

FROM debian:bookworm-slim AS build
WORKDIR /src
COPY . .
RUN ./scripts/setup && strip build/dkvd build/dkvctl

FROM debian:bookworm-slim
# scripts/setup has found the backports of the mirror that the base image uses; libraft0 comes from there.
COPY --from=build /etc/apt/sources.list.d/dkv-backports.list /etc/apt/sources.list.d/
RUN apt-get -qq update \
    && DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends \
        libjansson4 libmsgpackc2 libraft0/bookworm-backports libuv1 libxxhash0 \
    && apt-get clean \
    && rm -rf /var/lib/apt/lists/* /var/log/apt /var/log/dpkg.log \
    && install -d -m 0700 -o 10001 -g 10001 /var/lib/dkv
COPY LICENSE /usr/share/doc/dkv/
COPY --from=build /src/build/dkvd /src/build/dkvctl /usr/local/bin/
RUN dkvd --version && dkvctl --version

# A number, so that who runs the image can see that it is not root's.
USER 10001:10001
VOLUME /var/lib/dkv
EXPOSE 5000 7000
# Listening beyond loopback is refused until the command says --insecure: that choice is not the image's.
ENV DKVD_DATA_DIR=/var/lib/dkv DKVD_CLIENT=0.0.0.0:5000 DKVD_PEER=0.0.0.0:7000
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=3 CMD ["dkvctl", "-t", "2s", "health"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["dkvd"]
