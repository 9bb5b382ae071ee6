"""No queue at all: PLC_INLINE_JOBS."""

from common.local.stack import Stack
from tests.e2e.machine import OFFLINE, clean_environment, free_place
from tests.e2e.pegasus import Pegasus
from tests.loopback.openai_server import KEY


def test_work_is_done_when_the_request_for_it_is_answered(
    home, speech_server, tmp_path
):
    settings = {
        "PLC_INLINE_JOBS": "1",
        "OPENAI_BASE_URL": speech_server.url,
        "OPENAI_API_KEY": KEY,
        "PLC_INGEST_TRANSCRIBE_PROVIDER": "openai",
    }
    with Stack(
        free_place(home),
        environment=clean_environment() | OFFLINE | settings,
        log_folder=tmp_path,
        durable=False,
    ) as stack:
        pegasus = Pegasus(stack)
        pegasus.upload(tmp_path, pieces=2)
        reply = pegasus.send("POST", f"/lectures/{pegasus.lecture_id}/transcribe")

    assert (reply.status, reply.document["status"]) == (200, "completed")
