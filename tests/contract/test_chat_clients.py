"""Answers of Wiz as both generations of the web frontend read them."""

import pytest

from api_service.people import sessions
from common.errors import ProviderUnavailable
from tests.api import talking
from tests.api.guards import with_settings
from tests.api.people import guest
from tests.clients.running import run
from tests.served_api import served


@pytest.fixture
def ask(committed_db, api_url):
    """Begin a talk as a guest and ask; return what each frontend shows."""
    headers = guest()
    about = talking.video(committed_db, *talking.SAID)
    session_id = headers["X-Guest-Session-ID"]
    talk = talking.talk(committed_db, about, guest=sessions.digest(session_id))
    url = f"{api_url}/v2/conversations/{talk.id}/messages"

    def ask():
        message = "What do mitochondria do?"
        return run("chat.js", url=url, headers=headers, message=message)

    return ask


@pytest.fixture
def api_url(committed_deps):
    with served(with_settings(committed_deps, wiz_guest_daily_quota=2)) as url:
        yield url


def test_both_show_the_answer_and_its_times(ask, llm):
    pieces = ["They ", "release — “energy” ", "[0:45] and ", "hold [1:30, 0:45]."]
    llm.speak = lambda _talk: iter(pieces)
    heard = ask()
    whole = "They release — “energy” [00:45] and hold [01:30, 00:45]."
    assert heard["unbuffered"] == {"text": whole, "done": True}
    assert heard["buffered"] == {"text": whole, "done": True, "error": None}
    assert heard["seeks"] == [45, 90, 45]
    assert heard["chunks"] > 1  # it came while it was written


def test_the_first_one_is_silent_about_an_error_and_the_present_one_tells_it(ask, llm):
    def break_off(_talk):
        yield from ("One ", "two ", "three ")
        raise ProviderUnavailable("gone")

    llm.speak = break_off
    heard = ask()
    assert heard["unbuffered"] == {"text": "One two ", "done": True}
    assert heard["buffered"] == {
        "text": "One two ",
        "done": True,
        "error": "Processing error",
    }


def test_both_learn_when_they_may_ask_again(ask, llm):
    llm.speak = lambda _talk: iter(["Yes."])
    assert [ask()["status"] for _ in range(3)] == [200, 200, 429]
    error = ask()["body"]["error"]
    assert error["message"] == "Daily limit reached (2 guest messages/day)"
    assert 0 < error["details"]["reset_in_seconds"] <= 86_400
