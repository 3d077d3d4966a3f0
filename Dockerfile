FROM python:3.13-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# hadolint ignore=DL3008 # any release of it strips
RUN apt-get update \
    && apt-get install -y --no-install-recommends binutils \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /srv
ENV PATH="/opt/venv/bin:$PATH"
COPY requirements.txt ./
# pip stays behind, and so do debug symbols, half of what the wheels weigh, sources of compiled
# modules, type stubs, the libraries' own tests and what speaks to other databases.
RUN python -m venv --without-pip /opt/venv \
    && pip --python /opt/venv/bin/python install --no-compile --no-deps --require-hashes \
        -r requirements.txt \
    && pip --python /opt/venv/bin/python check \
    && find /opt/venv -name '*.so' -exec strip --strip-unneeded {} + \
    && find /opt/venv \( -name '*.py[ix]' -o -name '*.pxd' -o -name '*.[ch]' -o -name '*.[ch]pp' \
        -o -name tests -o -name testing -o -path '*/dialects/m[sy]*sql' -o -path '*/dialects/oracle' \
        -o -path '*/dialects/sqlite' \) -prune -exec rm -r {} +

FROM build AS dev
COPY requirements-dev.txt ./
RUN pip --python /opt/venv/bin/python install --no-deps --require-hashes -r requirements-dev.txt \
    && pip --python /opt/venv/bin/python check
COPY . .
CMD ["python", "-m", "app", "dev", "--host", "0.0.0.0", "--port", "8000"]

FROM python:3.13-slim AS production
RUN useradd --system --no-create-home --uid 10001 app
WORKDIR /srv
# Nothing is written but to TMPDIR, so the root file system may be read-only.
ENV PATH="/opt/venv/bin:$PATH" \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    TMPDIR=/dev/shm \
    ENVIRONMENT=production
COPY --from=build /opt/venv /opt/venv
COPY alembic.ini ./
COPY alembic ./alembic
COPY app ./app
# What serving imports is compiled, and nothing else: the migrations' libraries would weigh as much.
RUN PYTHONDONTWRITEBYTECODE='' python -c "import app.main, app.server"
# By number: Kubernetes cannot tell whether a name is root's.
USER 10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f\"http://localhost:{os.environ.get('PORT', '8000')}/health/live\", timeout=2)"]
# The exec form: gunicorn's master is process 1 and hears SIGTERM.
CMD ["python", "-m", "app", "serve"]
