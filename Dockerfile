# Lineside as an image, for a processor (`cpu`) or an NVIDIA card (`gpu`):
#
#   docker build --target cpu -t lineside:cpu .
#   docker build --target gpu -t lineside:gpu .
#
# Bases are named by dated tags. Add the digest (`@sha256:…`) that your own registry shows before you rely on a rebuild.
# Python packages come from requirements/ with their hashes. The steps of `cpu` are proved by `make prove-dockerfile`;
# docs/install.md says what that proves and what it does not.

ARG DEBIAN=debian:bookworm-20260623-slim
ARG CUDA=nvidia/cuda:13.0.2-cudnn-runtime-ubuntu24.04

# ---- the wheel -------------------------------------------------------------------------------------------------------
FROM ${DEBIAN} AS wheel
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
# hadolint ignore=DL3008  # Debian's own versions, with its security fixes; the base names the release
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates python3 python3-venv \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY requirements/build.txt requirements/build.txt
RUN python3 -m venv /opt/build \
 && /opt/build/bin/pip install --no-cache-dir --require-hashes --requirement requirements/build.txt
COPY pyproject.toml README.md LICENSE ./
COPY inspect inspect
RUN /opt/build/bin/hatchling build --target wheel --directory /wheels

# ---- the environment, for a processor --------------------------------------------------------------------------------
FROM wheel AS cpu-environment
COPY requirements/run.txt requirements/run.txt
RUN python3 -m venv /opt/lineside \
 && /opt/lineside/bin/pip install --no-cache-dir --require-hashes --requirement requirements/run.txt \
 && /opt/lineside/bin/pip install --no-cache-dir --no-index --no-deps /wheels/*.whl \
 && /opt/lineside/bin/pip check

# ---- target cpu ------------------------------------------------------------------------------------------------------
FROM ${DEBIAN} AS cpu
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
# hadolint ignore=DL3008  # as above
RUN apt-get update \
 && apt-get install --yes --no-install-recommends python3 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --no-create-home --user-group --uid 10001 --home-dir /srv/lineside --shell /usr/sbin/nologin lineside \
 && install --directory --owner=lineside --group=lineside /srv/lineside /srv/lineside/var
COPY --from=cpu-environment /opt/lineside /opt/lineside
COPY models /srv/lineside/models
COPY calibration /srv/lineside/calibration
ENV PATH=/opt/lineside/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /srv/lineside
USER 10001:10001
# Journal and images. Everything else in the image may be mounted read-only.
VOLUME ["/srv/lineside/var"]
EXPOSE 50051
# Asks the station through gRPC; it is healthy when it is Ready.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["lineside", "status"]
ENTRYPOINT ["lineside"]
CMD ["run", "calibration/stations/demo.toml"]

# ---- the environment, for an NVIDIA card -----------------------------------------------------------------------------
# onnxruntime-gpu takes the place of onnxruntime: the two are one module and must never lie in one environment. So the
# wheel's own list of dependencies does not hold here, and `pip check` would say so.
FROM ${CUDA} AS gpu-environment
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
# hadolint ignore=DL3008  # as above, of Ubuntu
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates python3 python3-venv \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY requirements/gpu.txt requirements/gpu.txt
COPY --from=wheel /wheels /wheels
RUN python3 -m venv /opt/lineside \
 && /opt/lineside/bin/pip install --no-cache-dir --require-hashes --requirement requirements/gpu.txt \
 && /opt/lineside/bin/pip install --no-cache-dir --no-index --no-deps /wheels/*.whl

# ---- target gpu ------------------------------------------------------------------------------------------------------
FROM ${CUDA} AS gpu
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
# hadolint ignore=DL3008  # as above
RUN apt-get update \
 && apt-get install --yes --no-install-recommends python3 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --no-create-home --user-group --uid 10001 --home-dir /srv/lineside --shell /usr/sbin/nologin lineside \
 && install --directory --owner=lineside --group=lineside /srv/lineside /srv/lineside/var
COPY --from=gpu-environment /opt/lineside /opt/lineside
COPY models /srv/lineside/models
COPY calibration /srv/lineside/calibration
ENV PATH=/opt/lineside/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /srv/lineside
USER 10001:10001
VOLUME ["/srv/lineside/var"]
EXPOSE 50051
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s --retries=3 CMD ["lineside", "status"]
ENTRYPOINT ["lineside"]
CMD ["run", "calibration/stations/demo.toml"]
