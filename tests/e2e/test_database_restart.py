"""A database that goes away and comes back."""

import os
import signal

from tests.e2e.machine import wait_for

_BACK_SECONDS = 5  # after the database is there again


def crash_database(pegasus):
    """End it as an immediate shutdown does: no session is told, nothing is tidied."""
    os.kill(pegasus.stack.database.pid, signal.SIGQUIT)
    wait_for(lambda: pegasus.stack.database.ended)


def test_the_api_says_that_the_database_is_away_until_it_is_back(pegasus):
    assert pegasus.send("GET", "/lectures").status == 200
    crash_database(pegasus)

    away = pegasus.send("GET", "/lectures")
    assert away.status == 503
    assert int(away.headers["Retry-After"]) > 0
    assert away.document["error"]["code"] == "unavailable"
    pegasus.revive()
    wait_for(
        lambda: pegasus.send("GET", "/lectures").status == 200, seconds=_BACK_SECONDS
    )


def test_a_job_lives_through_a_restart_of_the_database(
    pegasus, speech_server, tmp_path
):
    speech_server.hold_after(1)
    pegasus.upload(tmp_path, pieces=4)
    wait_for(lambda: len(speech_server.asked) == 3)
    crash_database(pegasus)
    pegasus.revive()
    speech_server.release()

    assert pegasus.ended("transcription") == "completed"
    assert pegasus.saved() == 4
    assert pegasus.transcripts() == 1


def test_answers_that_arrive_while_the_database_is_away_are_asked_for_again(
    pegasus, speech_server, tmp_path
):
    speech_server.hold_after(1)
    pegasus.upload(tmp_path, pieces=3)
    wait_for(lambda: pegasus.saved() == 1)
    wait_for(lambda: len(speech_server.asked) == 3)
    crash_database(pegasus)
    failures = pegasus.logged("worker").count("job.run.failed")
    speech_server.release()
    wait_for(lambda: pegasus.logged("worker").count("job.run.failed") == failures + 2)
    pegasus.revive()

    assert pegasus.ended("transcription") == "completed"
    assert sorted(speech_server.calls.values()) == [1, 2, 2]
    assert pegasus.saved() == 3
