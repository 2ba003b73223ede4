# lamsearch with everything that a worker on any machine needs; `docker compose` builds it.
FROM python:3.11.13-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY lamsearch lamsearch
RUN python -m venv /opt/lamsearch && /opt/lamsearch/bin/pip install '.[s3]'

FROM python:3.11.13-slim-bookworm
COPY --from=build /opt/lamsearch /opt/lamsearch
COPY studies /studies
# The folders' owner is what new named volumes take over.
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
ENTRYPOINT ["lamsearch"]
CMD ["--help"]
