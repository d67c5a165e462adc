# Image names may be replaced by a mirror's or pinned by digest: docker build --build-arg PYTHON=...
ARG PYTHON=python:3.13.15-slim-trixie

FROM ${PYTHON} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /build
# The environment is made without pip: nothing that installs or builds reaches the final stage.
RUN python -m venv --without-pip /opt/gradserve && mkdir /data
COPY requirements-build.lock requirements.lock ./
RUN pip install --require-hashes -r requirements-build.lock \
    && pip --python /opt/gradserve/bin/python install --require-hashes --only-binary :all: -r requirements.lock
COPY LICENSE README.md pyproject.toml ./
COPY app app
COPY engine engine
RUN pip wheel --no-deps --no-build-isolation --wheel-dir dist . \
    && pip --python /opt/gradserve/bin/python install --no-deps --no-index dist/*.whl

FROM ${PYTHON}
LABEL org.opencontainers.image.title="gradserve" \
      org.opencontainers.image.description="PyTorch's autograd as an HTTP computation API, on a NumPy engine" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/gradserve /opt/gradserve
COPY --from=build --chown=10001:10001 /data /data
ENV PATH=/opt/gradserve/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 HOME=/tmp GRADSERVE_DATA=/data \
    GRADSERVE_OPEN=0
# A number, not a name: it needs no account in the image, and Kubernetes' runAsNonRoot can check it.
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 CMD ["python", "-m", "app.http.probe"]
ENTRYPOINT ["gradserve"]
CMD ["serve", "--host", "0.0.0.0"]
