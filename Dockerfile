# syntax=docker/dockerfile:1
# Targets: api, worker, migrate; and all, for platforms that build only the last. Each
# holds an interpreter, hashed packages and our own code; nothing that compiles, no
# caches, no root. The root file system may be read-only if /tmp is a tmpfs.

ARG PYTHON=3.11-slim-bookworm

FROM python:${PYTHON} AS builder
WORKDIR /app
COPY scripts/image_install scripts/image_install
COPY requirements requirements

FROM builder AS api-packages
RUN scripts/image_install api /venv

FROM builder AS worker-packages
RUN scripts/image_install worker /venv

FROM builder AS all-packages
RUN scripts/image_install all /venv

FROM python:${PYTHON} AS base
RUN groupadd --system --gid 10001 pegasus \
 && useradd --system --uid 10001 --gid pegasus --no-create-home pegasus
ENV PATH=/venv/bin:$PATH \
    PEGASUS_BIND=0.0.0.0 \
    PYTHONUNBUFFERED=1
WORKDIR /app
COPY common common
RUN python -m compileall -q common
USER 10001:10001

FROM base AS api
COPY --from=api-packages /venv /venv
COPY api_service api_service
EXPOSE 8080
CMD ["gunicorn", "--config", "python:api_service.gunicorn_conf", "api_service.wsgi:app"]

FROM base AS migrate
COPY --from=api-packages /venv /venv
CMD ["python", "-m", "common.migrations"]

FROM base AS worker
COPY --from=worker-packages /venv /venv
COPY worker_service worker_service
EXPOSE 8081
CMD ["gunicorn", "--config", "python:worker_service.gunicorn_conf", "worker_service.wsgi:app"]

FROM base AS all
COPY --from=all-packages /venv /venv
COPY api_service api_service
COPY worker_service worker_service
EXPOSE 8080
CMD ["gunicorn", "--config", "python:api_service.gunicorn_conf", "api_service.wsgi:app"]
