# The nightly job (deploy/batch.yaml), and everything else the command line can. No shell stands between it and signals.

# A tag can be moved. To pin the very image: docker buildx imagetools inspect python:3.13.11-slim-trixie, and
# docker build --build-arg PYTHON=python:3.13.11-slim-trixie@sha256:…
ARG PYTHON=python:3.13.11-slim-trixie

FROM ${PYTHON} AS build
RUN python -m venv --without-pip /opt/cognito-migrate
WORKDIR /source
COPY . .
# Every version is pinned, and none is compiled here: the image has no compiler.
RUN python -m pip --python /opt/cognito-migrate/bin/python install \
    --no-cache-dir --disable-pip-version-check --only-binary :all: -c constraints.txt .

FROM ${PYTHON}
RUN useradd --uid 1000 --user-group --no-create-home --shell /usr/sbin/nologin migration \
    && install --directory --owner 1000 --group 1000 --mode 0700 /migration /scratch
COPY --from=build /opt/cognito-migrate /opt/cognito-migrate
COPY deploy/entrypoint.py /opt/cognito-migrate/entrypoint.py
ENV COGNITO_MIGRATE_FOLDER=/migration \
    PYTHONUNBUFFERED=1 \
    TMPDIR=/scratch
# A volume, because the task's other files cannot be written; declared here, it keeps its owner on Fargate.
VOLUME ["/scratch"]
WORKDIR /migration
USER 1000:1000
ENTRYPOINT ["/opt/cognito-migrate/bin/python", "/opt/cognito-migrate/entrypoint.py"]
CMD ["--help"]
