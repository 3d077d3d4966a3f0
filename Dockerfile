# syntax=docker/dockerfile:1
FROM python:3.13-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/venv
ENV PATH="/opt/venv/bin:$PATH"
COPY requirements.txt .
RUN pip install --require-hashes -r requirements.txt

FROM build AS dev
WORKDIR /srv
COPY requirements-dev.txt .
RUN pip install --require-hashes -r requirements-dev.txt
COPY . .
CMD ["python", "-m", "app", "dev", "--host", "0.0.0.0", "--port", "8000"]

FROM python:3.13-slim AS production
RUN useradd --system --no-create-home --uid 10001 app
WORKDIR /srv
ENV PATH="/opt/venv/bin:$PATH" \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    ENVIRONMENT=production
COPY --from=build /opt/venv /opt/venv
COPY alembic.ini ./
COPY alembic ./alembic
COPY app ./app
USER app
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f\"http://localhost:{os.environ.get('PORT', '8000')}/health/live\", timeout=2)"]
CMD ["python", "-m", "app", "serve"]
