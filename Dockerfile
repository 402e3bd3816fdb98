# syntax=docker/dockerfile:1

# A release names the base image by its digest, so that it is the same again tomorrow. A registry
# tells it: docker buildx imagetools inspect python:3.12-slim-trixie
# docker build --build-arg PYTHON=python:3.12-slim-trixie@sha256:... .
ARG PYTHON=python:3.12-slim-trixie

# First stage: build the wheel, and install it with what it needs into a folder of its own.
# What is downloaded must have the hash that requirements/ holds.
FROM ${PYTHON} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /source
COPY requirements requirements
COPY setup.cfg pyproject.toml README.md LICENSE NOTICE ./
COPY cards cards
COPY cds_service cds_service
COPY fixtures fixtures
RUN python -m venv --without-pip /service \
    && pip --python /service/bin/python install --require-hashes -r requirements/image.txt \
    && pip install --require-hashes -r requirements/build.txt \
    && pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
    && pip --python /service/bin/python install --no-deps /wheels/*.whl

# Second stage: that folder and Python, nothing that builds.
FROM ${PYTHON}
COPY --from=build /service /service
RUN install -d -o 10001 -g 10001 -m 700 /data
# From outside the container only this address can be reached. What is kept, is kept in /data; the
# rest may be read-only, with a tmpfs on /tmp. Bytecode was written when the wheel was installed.
ENV PATH=/service/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    CDS_HOST=0.0.0.0 XDG_DATA_HOME=/data
VOLUME /data
USER 10001:10001
WORKDIR /tmp
EXPOSE 8000
# Alive, not ready, and without a shell: a container is not started anew because its database hangs.
HEALTHCHECK --interval=10s --timeout=3s --start-period=15s --retries=3 \
    CMD ["cds-service", "healthcheck"]
CMD ["cds-service", "serve"]
