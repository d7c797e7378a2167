# The controller's processes as an image, made from one wheel:
#
#   python -m pip wheel --no-deps --wheel-dir dist .
#   docker build --build-arg BASE_IMAGE=debian:trixie-slim@sha256:... --build-arg WHEEL=dist/skerry-VERSION-py3-none-any.whl .
#
# The base is a Debian (or an image made from one) with Python 3.11 or newer in its packages. Name it by its digest, as
# `docker image inspect --format '{{index .RepoDigests 0}}' debian:trixie-slim` tells it after a pull: a tag is another
# image next month. `containers/prepare` does so.
#
# One image for all: `web` (unless told otherwise), `scheduler`, `plays` and `shipper` are words after `python -m webfront`,
# and skerry-admin is on the PATH. It runs as the user 8460, and needs nothing writable but the state directory, the share
# and a /tmp. The settings are those of docs/architecture.md; passwords are read from files.
ARG BASE_IMAGE=debian:trixie-slim

FROM ${BASE_IMAGE} AS made
LABEL skerry.stage=made
RUN apt-get -q update && \
    DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install ca-certificates python3 python3-venv
# Before the wheel: another one with the same needs begins after this layer.
COPY requirements/elastic.txt /tmp/elastic.txt
RUN python3 -m venv /opt/skerry && \
    /opt/skerry/bin/python -m pip install -q --no-input --no-cache-dir --no-deps --requirement /tmp/elastic.txt
ARG WHEEL
COPY ${WHEEL} /tmp/wheel/
# What the wheel needs is what is there; the project's code for its nodes stands where the plays look for it.
RUN cd /opt/skerry && \
    bin/python -m pip install -q --no-input --no-cache-dir --no-deps --no-index /tmp/wheel/*.whl && \
    cmp /tmp/elastic.txt share/skerry/requirements/elastic.txt && \
    bin/python -m pip check && \
    for part in dispatch node_scripts webfront wire; do \
        ln -s "$(bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/$part" "share/skerry/$part"; \
    done && \
    bin/python -m pip uninstall -q -y pip && \
    bin/python -m compileall -q lib

FROM ${BASE_IMAGE}
RUN apt-get -q update && \
    DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install \
        ca-certificates openssh-client python3 && \
    rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/* /var/log/apt /var/log/dpkg.log && \
    groupadd --gid 8460 skerry && \
    useradd --uid 8460 --gid 8460 --no-create-home --home-dir /var/lib/skerry --shell /usr/sbin/nologin skerry && \
    install -d -m 0700 -o 8460 -g 8460 /var/lib/skerry /srv/skerry
COPY --from=made /opt/skerry /opt/skerry
ARG WHEEL
LABEL org.opencontainers.image.title="Skerry" \
      org.opencontainers.image.licenses="MIT" \
      skerry.wheel="${WHEEL}"
ENV PATH=/opt/skerry/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    SKERRY_PROJECT_DIR=/opt/skerry/share/skerry \
    SKERRY_STATE_DIR=/var/lib/skerry \
    SKERRY_SHARE_DIR=/srv/skerry \
    SKERRY_WEB_HOST=0.0.0.0
WORKDIR /var/lib/skerry
USER 8460:8460
EXPOSE 8460
STOPSIGNAL SIGTERM
# Of the web front: whoever runs another of the processes from this image says so (--no-healthcheck).
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-I", "-c", "import os, urllib.request; urllib.request.urlopen(f\"http://127.0.0.1:{os.environ.get('SKERRY_WEB_PORT') or 8460}/api/v1/health\", timeout=4)"]
CMD ["python", "-m", "webfront", "web"]
