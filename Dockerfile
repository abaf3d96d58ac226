# The server's image. The build stage has the tools, the image has only Python and what the lock names.
FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
RUN python -m venv /opt/rollcall
WORKDIR /src
# The packages come first: they change seldom, so this layer is kept between builds.
COPY .ci/requirements-runtime.lock .ci/requirements-runtime.lock
RUN /opt/rollcall/bin/pip install --require-hashes -r .ci/requirements-runtime.lock
COPY . .
RUN /opt/rollcall/bin/pip install --no-deps --no-build-isolation .

FROM python:3.13-slim
RUN useradd --system --uid 10001 --home-dir /var/lib/rollcall --create-home --shell /usr/sbin/nologin rollcall
COPY --from=build /opt/rollcall /opt/rollcall
ENV PATH=/opt/rollcall/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    ENVIRONMENT=production \
    DATA_DIR=/var/lib/rollcall \
    HOST=0.0.0.0 \
    PORT=8000 \
    LOG_FORMAT=json
WORKDIR /var/lib/rollcall
USER rollcall
VOLUME /var/lib/rollcall
EXPOSE 8000
# The image has no curl. Ready means: the server answers and reaches its database.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/readyz', timeout=4)"]
ENTRYPOINT ["rollcall-server"]
CMD ["serve"]
