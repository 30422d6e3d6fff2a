# An image of the program alone, for jobs that name an image. `make dist` builds what it copies, for each TARGET:
#
#     make dist && docker build -t docker-manifest .
#
# It has no shell, no docker and no certificate authorities: mount the authorities and docker's configuration.
#
#     docker run --rm -v /etc/ssl/certs:/etc/ssl/certs:ro -v ~/.docker:/root/.docker docker-manifest inspect alpine:3
FROM scratch
ARG TARGETARCH=amd64
ENV HOME=/root
COPY dist/image/${TARGETARCH}/docker-manifest /usr/bin/docker-manifest
ENTRYPOINT ["/usr/bin/docker-manifest"]
