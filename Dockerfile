# docker build -t longlink . && docker run --rm -p 127.0.0.1:8008:8008 longlink

FROM python:3.13-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev
WORKDIR /source
COPY setup.py pyproject.toml MANIFEST.in README.md LICENSE ./
COPY src src
# "all": an image that is slow because compiling failed is not built.
RUN LONGLINK_COMPILE=all pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .
RUN python -m venv /opt/longlink && \
    /opt/longlink/bin/pip install --no-cache-dir "$(echo /wheels/longlink-*.whl)[server,fast,uvloop]"

FROM python:3.13-slim
COPY --from=build /opt/longlink /opt/longlink
# Every option is a variable: -e LONGLINK_ORIGIN=https://chat.example.com
ENV PATH=/opt/longlink/bin:$PATH LONGLINK_HOST=0.0.0.0 LONGLINK_PORT=8008
# By number, so that "no root" can be seen from outside. It owns nothing.
USER 10001:10001
EXPOSE 8008
# Everybody is told 1001 "server is shutting down", and gets LONGLINK_SHUTDOWN_TIMEOUT to answer.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=3s --start-period=10s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as web; web.urlopen('http://127.0.0.1:' + os.environ['LONGLINK_PORT'] + '/healthz', timeout=2)"]
ENTRYPOINT ["longlink"]
CMD ["serve"]
