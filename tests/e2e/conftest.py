"""A whole Pegasus as processes. One for all tests: each brings lectures of its own."""

from pathlib import Path

import av
import pytest

from common.local.stack import Stack
from tests.e2e.machine import OFFLINE, clean_environment, free_place, new_home
from tests.e2e.pegasus import Pegasus
from tests.e2e.slow_speech import SlowSpeech
from tests.loopback.openai_server import KEY

ROOT = Path(__file__).parents[2]


def pytest_collection_modifyitems(items):
    """Every test below this folder starts processes."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker("e2e")


@pytest.fixture
def home():
    with new_home() as folder:
        yield folder


@pytest.fixture(scope="session")
def speech_server():
    with SlowSpeech() as server:
        yield server


@pytest.fixture(scope="session")
def services(speech_server, tmp_path_factory):
    """The processes. Their logs are kept where pytest keeps its folders."""
    settings = {
        "OPENAI_BASE_URL": speech_server.url,
        "OPENAI_API_KEY": KEY,
        "PLC_INGEST_TRANSCRIBE_PROVIDER": "openai",
        "PEGASUS_LEASE_SECONDS": "3",
        "PEGASUS_SWEEP_SECONDS": "1",
        "PEGASUS_QUEUE_FAULTS": "1",
    }
    with (
        new_home() as folder,
        Stack(
            free_place(folder),
            environment=clean_environment() | OFFLINE | settings,
            log_folder=tmp_path_factory.mktemp("logs"),
        ) as stack,
    ):
        yield stack


@pytest.fixture
def pegasus(services, speech_server):
    """A Pegasus in good health, whatever the test before did to it.

    In the end the history of all jobs must be one that the protocol allows.
    """
    services.revive()
    services.wait_until_ready()
    speech_server.release()
    speech_server.asked.clear()
    running = Pegasus(services)
    running.mend_queue()
    yield running
    speech_server.release()
    assert running.broken_histories() == []


@pytest.fixture(scope="session")
def spoken(tmp_path_factory):
    """Cut the first seconds of the sample lecture out, as a file of the given name."""
    folder = tmp_path_factory.mktemp("spoken")

    def cut(name, seconds):
        sample = ROOT / "examples" / "how_vaccines_work.mp3"
        with av.open(sample) as source, av.open(folder / name, "w") as target:
            [heard] = source.streams.audio
            stream = target.add_stream_from_template(heard)
            for packet in source.demux(heard):
                if packet.dts is None or packet.dts * (heard.time_base or 0) > seconds:
                    break
                packet.stream = stream
                target.mux(packet)
        return folder / name

    return cut
