"""A worker that dies in the middle of its work, with and without warning."""

import psutil

from tests.e2e.machine import wait_for

_SAVED = 3
_PIECES = 6


def interrupted(pegasus, speech_server, folder):
    """Stop a transcription where some answers are saved and some are on their way."""
    speech_server.hold_after(_SAVED)
    pegasus.upload(folder, pieces=_PIECES)
    wait_for(lambda: pegasus.saved() == _SAVED)
    wait_for(lambda: len(speech_server.asked) > _SAVED)


def test_a_killed_worker_asks_for_no_saved_answer_again(
    pegasus, speech_server, tmp_path
):
    interrupted(pegasus, speech_server, tmp_path)
    pegasus.kill("worker")
    on_their_way = len(speech_server.pieces[_SAVED:])
    speech_server.release()
    pegasus.revive()

    assert pegasus.ended("transcription") == "completed"
    assert len(speech_server.calls) == _PIECES
    assert {speech_server.calls[one] for one in speech_server.pieces[:_SAVED]} == {1}
    assert speech_server.calls.total() <= _PIECES + on_their_way
    assert pegasus.saved() == _PIECES
    assert pegasus.transcripts() == 1


def test_an_answer_is_kept_though_the_worker_died_before_its_job_was_ended(
    pegasus, speech_server, tmp_path
):
    speech_server.hold_after(0)
    pegasus.upload(tmp_path, pieces=2)
    wait_for(lambda: len(speech_server.asked) == 2)
    with pegasus.jobs_locked():
        speech_server.release()
        wait_for(lambda: pegasus.saved() == 2)
        pegasus.kill("worker")
    pegasus.revive()

    assert pegasus.ended("transcription") == "completed"
    assert list(speech_server.calls.values()) == [1, 1]


def test_a_worker_that_is_told_to_stop_gives_its_jobs_back(
    pegasus, speech_server, tmp_path
):
    interrupted(pegasus, speech_server, tmp_path)
    worker = psutil.Process(pegasus.stack.service("worker").pid)
    pegasus.stack.service("worker").ask_to_stop()
    worker.wait(10)  # Cloud Run would kill it then

    running = pegasus.rows("select id from jobs where state = 'running'")
    assert running == []
    given_back = pegasus.rows(
        "select attempt from jobs where state = 'queued' and error_code = 'shutdown'"
    )
    assert {attempt for (attempt,) in given_back} == {0}
    speech_server.release()
    pegasus.revive()
    assert pegasus.ended("transcription") == "completed"
    assert pegasus.saved() == _PIECES
