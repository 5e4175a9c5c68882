"""A connection to a Ray cluster: to one of our own on this machine, or to the user's."""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import secrets
import signal
import tempfile
import threading
from collections.abc import Iterator
from typing import Any

import ray
from ray.exceptions import RayError

from lineside.core.errors import ConfigError, ReinspectionError
from lineside.reinspect.installation import Installation, check_same, installed

__all__ = ["cluster_at", "own_cluster", "this_node", "vendor_errors"]

_OBJECT_STORE_BYTES = 128 << 20  # of a cluster of our own: it holds tickets and rows, never pixels
_NODE_ID = "ray.io/node-id"
_TOKEN = "RAY_AUTH_TOKEN"
_SESSION_PATH_LENGTH = 64  # what Ray adds to its folder for a socket, whose path ends at 107
_MAX_SOCKET_PATH_LENGTH = 107


@contextlib.contextmanager
def own_cluster(processors: int) -> Iterator[None]:
    """A cluster on this machine, reached on the loopback address only, that leaves nothing behind."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(_environment(**{_TOKEN: _own_token()}))
        options = {
            "address": "local",
            "num_cpus": processors,
            "object_store_memory": _OBJECT_STORE_BYTES,
            "include_dashboard": False,
            "_node_ip_address": "127.0.0.1",
            "_temp_dir": stack.enter_context(_session_folder()),
        }
        stack.enter_context(_connection(**options))
        yield


@contextlib.contextmanager
def cluster_at(address: str, driver: Installation) -> Iterator[None]:
    """Somebody else's cluster, each of its nodes checked to run the same code. It is left as it is."""
    if address.startswith("ray://"):
        raise ConfigError(
            f"{address} is the address of a Ray client",
            expected="host:port of the cluster's head, or auto",
            remedy="run the command on a node of the cluster, or with `ray job submit`",
        )
    with _connection(address=address):
        for node in ray.nodes():
            if node["Alive"] and node["Resources"].get("CPU"):
                _check_node(driver, node["NodeID"], f"node {node['NodeManagerAddress']}")
        yield


def _check_node(driver: Installation, node_id: str, place: str) -> None:
    look = ray.remote(installed).options(num_cpus=0, label_selector={_NODE_ID: node_id}, max_retries=1)
    try:
        there = ray.get(look.remote())
    except RayError as error:
        raise ConfigError(
            f"{place} cannot run lineside: {_last_line(error)}",
            expected=f"lineside {driver.lineside} with its extra `ray` on every node",
            remedy="install it there, in the Python that Ray runs in",
        ) from error
    check_same(driver, there, place=place)


@contextlib.contextmanager
def _connection(**options: Any) -> Iterator[None]:
    if ray.is_initialized():
        raise ConfigError(
            "this process is already connected to a Ray cluster",
            expected="a process without a connection",
            remedy="call ray.shutdown() before, or run the command by itself",
        )
    with _quiet(), _environment(RAY_USAGE_STATS_ENABLED="0", RAY_BACKEND_LOG_LEVEL="fatal"):
        try:
            with _sigterm_kept():
                ray.init(**options, log_to_driver=False, configure_logging=False)
            yield
        except (ConnectionError, RuntimeError, ValueError) as error:
            if ray.is_initialized():
                raise
            raise ConfigError(
                f"no Ray cluster: {error}",
                expected=f"a cluster with Ray {ray.__version__}",
                remedy="see `ray status` on its head",
            ) from error
        finally:
            ray.shutdown()


@contextlib.contextmanager
def _session_folder() -> Iterator[str]:
    """A folder for sockets and logs, with a path that is short enough for sockets."""
    longest = _MAX_SOCKET_PATH_LENGTH - _SESSION_PATH_LENGTH - len("/ray-12345678")
    parent = tempfile.gettempdir() if len(tempfile.gettempdir()) <= longest else "/tmp"
    with tempfile.TemporaryDirectory(prefix="ray-", dir=parent, ignore_cleanup_errors=True) as folder:
        yield folder


@functools.cache
def _own_token() -> str:
    """What the processes of a cluster of our own show each other. Ray would keep one in the home folder.

    One for each process, because Ray's own code looks only once.
    """
    return os.environ.get(_TOKEN) or secrets.token_hex(32)


@contextlib.contextmanager
def _environment(**values: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _sigterm_kept() -> Iterator[None]:
    """Ray sets a handler for SIGTERM where it connects: the caller's is put back."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    kept = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, kept)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Ray tells its errors only: a progress bar may be on the terminal."""
    loggers = [logging.getLogger(name) for name in ("ray", "ray.data")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextlib.contextmanager
def vendor_errors() -> Iterator[None]:
    try:
        yield
    except RayError as error:
        raise ReinspectionError(
            f"Ray gave up: {_last_line(error)}",
            expected="a cluster that stays up",
            remedy="see its logs, then go on with --resume",
        ) from error


def _last_line(error: RayError) -> str:
    return str(error).strip().splitlines()[-1].strip()


def this_node() -> dict[str, str]:
    """Keeps the desk and its tickets where the driver is: they need not outlive it."""
    return {_NODE_ID: ray.get_runtime_context().get_node_id()}
