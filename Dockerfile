# lamsearch with everything that a worker on any machine needs; `docker compose` builds it.
# The digest is that of the tag, for every architecture; --build-arg LAMSEARCH_BASE takes another.
ARG LAMSEARCH_BASE=python:3.11.13-slim-bookworm@sha256:86adf8dbadc3d6e82ee5dd2c74bec2e1c2467cdad47886280501df722372d2e1

FROM ${LAMSEARCH_BASE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /source
# Nothing but what the locks name, as it was when they were made; see docs/supply-chain.md.
COPY requirements.lock requirements-build.lock ./
RUN python -m venv --without-pip /opt/build && python -m venv --without-pip /opt/lamsearch \
    && pip --python /opt/build/bin/python install \
        --require-hashes --only-binary :all: --requirement requirements-build.lock \
    && pip --python /opt/lamsearch/bin/python install \
        --require-hashes --only-binary :all: --requirement requirements.lock
COPY pyproject.toml setup.py README.md LICENSE ./
COPY lamsearch lamsearch
RUN pip --python /opt/build/bin/python wheel \
        --no-index --no-deps --no-build-isolation --wheel-dir /wheels . \
    && pip --python /opt/lamsearch/bin/python install --no-index --no-deps /wheels/*.whl

FROM ${LAMSEARCH_BASE}
COPY --from=build /opt/lamsearch /opt/lamsearch
COPY studies /studies
COPY LICENSE THIRD_PARTY.md /usr/share/doc/lamsearch/
# The directories' owner is what new named volumes take over.
RUN groupadd --system --gid 10001 lamsearch \
    && useradd --system --uid 10001 --gid 10001 --home-dir /tmp --no-create-home lamsearch \
    && install --directory --owner=10001 --group=10001 --mode=0700 /data /files /cache
ENV PATH=/opt/lamsearch/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    MPLCONFIGDIR=/tmp/matplotlib \
    LAMSEARCH_DATA=/data LAMSEARCH_FILES=/files LAMSEARCH_CACHE=/cache
USER 10001:10001
WORKDIR /files
STOPSIGNAL SIGTERM
# Last, so that a new revision changes no layer.
ARG LAMSEARCH_REVISION=
LABEL org.opencontainers.image.title="lamsearch" \
      org.opencontainers.image.description="Finds the L2 penalty of a network honestly, fast, and on machines that may die" \
      org.opencontainers.image.version="0.3.0" \
      org.opencontainers.image.revision="${LAMSEARCH_REVISION}" \
      org.opencontainers.image.licenses="MIT"
ENTRYPOINT ["lamsearch"]
CMD ["--help"]
