"""The Pub/Sub emulator of the gcloud SDK, as a process; it needs Java, no network."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest

from common.local.postgres import free_port

_START_SECONDS = 60  # alone it takes 2 s; the machine may be busy


@contextmanager
def pubsub_emulator() -> Iterator[str]:
    """Yield its host and port; skip where it is not installed, but not in CI."""
    host = f"127.0.0.1:{free_port()}"
    process = subprocess.Popen(  # noqa: S603 - our own command
        [*_command(), "--host=127.0.0.1", f"--port={host.rpartition(':')[2]}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with grpc.insecure_channel(host) as channel:
            grpc.channel_ready_future(channel).result(_START_SECONDS)
        yield host
    finally:
        process.kill()  # it keeps nothing
        process.wait(10)


def _command() -> list[str]:
    gcloud, java = shutil.which("gcloud"), shutil.which("java")
    jars = _jars(Path(gcloud).resolve().parents[1]) if gcloud else []
    if java and jars:
        return [java, "-Xmx256m", "-jar", str(jars[-1])]
    if os.environ.get("CI") == "true":
        pytest.fail("the Pub/Sub emulator of the gcloud SDK, or Java, is missing")
    pytest.skip("needs Java and the pubsub-emulator component of the gcloud SDK")


def _jars(sdk: Path) -> list[Path]:
    """Return the emulator's archives; gcloud itself would take a second to find it."""
    return sorted(sdk.glob("platform/pubsub-emulator/lib/cloud-pubsub-emulator-*.jar"))
