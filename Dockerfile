# One container: the gateway, with neither a compiler nor root. It wants a Postgres, and a
# /etc/ctrip/config.toml or CTRIP_* variables; chains.yaml is there already and may be mounted over.
ARG PYTHON_IMAGE=python:3.12-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /app
# The dependencies first: they change seldom, so this layer is rebuilt seldom.
COPY requirements/prod.lock requirements/build.lock requirements/
RUN python -m venv .venv && .venv/bin/pip install --require-hashes --only-binary :all: \
        -r requirements/prod.lock -r requirements/build.lock
# Editable, because ctrip looks for migrations/ beside its own folder.
COPY pyproject.toml LICENSE ./
COPY migrations migrations
COPY ctrip ctrip
# Compiled now, because the root is read-only later and every start would compile it again.
RUN .venv/bin/pip install --no-build-isolation --no-deps --editable . \
    && .venv/bin/pip uninstall --yes setuptools pip \
    && .venv/bin/python -m compileall -q --invalidation-mode unchecked-hash ctrip \
    && rm -rf ctrip.egg-info requirements

FROM ${PYTHON_IMAGE}
RUN groupadd --gid 10001 ctrip \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent \
        --shell /usr/sbin/nologin ctrip
COPY --from=build /app /app
COPY chains.yaml /etc/ctrip/chains.yaml
# Inside a container the loopback interface is nobody's: listen on all, publish what you want.
ENV PATH=/app/.venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    CTRIP_SERVER_HOST=0.0.0.0 \
    CTRIP_SERVER_PORT=8080
# config.toml and chains.yaml are looked for in the working directory, unless CTRIP_CONFIG says.
WORKDIR /etc/ctrip
USER 10001:10001
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8080/health', timeout=4)"]
ENTRYPOINT ["ctrip"]
CMD ["serve"]
