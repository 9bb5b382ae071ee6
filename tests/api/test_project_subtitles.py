"""Subtitles: people correct what was heard, the times stay, nothing is lost."""

import pytest
from sqlalchemy import func, select

from common.ids import new_id
from common.models import SubtitleEdit
from common.transcript import Segment
from tests import factories
from tests.api.test_project_transcripts import ARABIC, SAID, path, said


@pytest.fixture
def asset(db):
    found = factories.asset(db)
    said(db, found)
    return found


def url(asset, end=""):
    return path(asset, f"subtitles{end}")


def texts(reply):
    assert reply.status_code == 200, reply.text
    return [one["text"] for one in reply.json["segments"]]


def patch(api, asset, *pairs, method="patch", headers=None, **fields):
    segments = [{"index": number, "text": text} for number, text in pairs]
    sent = {"segments": segments, **fields}
    return getattr(api, method)(url(asset), json=sent, headers=headers or {})


def edits(db):
    with db.begin() as session:
        return session.scalar(select(func.count(SubtitleEdit.id)))


def test_a_film_that_is_not_there_has_no_subtitles(api):
    gone = new_id()
    one = {"segments": [{"index": 0, "text": "x"}]}
    replies = [
        api.get(f"/projects/demo/videos/{gone}/subtitles"),
        api.put(f"/projects/demo/videos/{gone}/subtitles", json=one),
        api.patch(f"/projects/demo/videos/{gone}/subtitles", json=one),
        api.get(f"/projects/demo/videos/{gone}/subtitles/edits"),
        api.post(
            f"/projects/demo/videos/{gone}/subtitles/reversions", json={"edit_id": 1}
        ),
    ]
    assert [reply.status_code for reply in replies] == [404] * 5


def test_at_first_they_are_what_was_heard(api, asset):
    told = api.get(url(asset)).json
    assert [one["text"] for one in told["segments"]] == [one.text for one in SAID]
    assert (told["edited_count"], told["direction"]) == (0, "ltr")
    assert told["segments"][0] == {
        "index": 0,
        "start": 0.0,
        "end": 2.5,
        "text": "Hello there.",
        "original_text": "Hello there.",
        "edited": False,
        "edited_by": None,
        "edited_at": None,
    }


def test_some_texts_are_corrected_and_the_times_stay(api, asset):
    reply = patch(
        api, asset, (1, "Welcome to the show!"), headers={"x-actor-id": "Ann"}
    )
    assert texts(reply) == ["Hello there.", "Welcome to the show!"]
    second = reply.json["segments"][1]
    assert (second["start"], second["end"]) == (3.0, 5.75)
    assert second["original_text"] == "Welcome to the show."
    assert (second["edited"], second["edited_by"]) == (True, "Ann")
    assert reply.json["edited_count"] == 1
    assert api.get(url(asset)).json == reply.json


def test_what_the_machine_heard_is_still_there(api, asset):
    patch(api, asset, (0, "Changed."))
    assert api.get(path(asset)).json["text"] == "Hello there. Welcome to the show."


def test_a_whole_list_replaces_all_corrections(api, asset):
    patch(api, asset, (0, "Changed."))
    reply = patch(api, asset, (1, "Second."), method="put")
    assert texts(reply) == ["Hello there.", "Second."]


def test_null_is_the_machine_s_text_again(api, asset):
    patch(api, asset, (0, "Changed."), (1, "Too."))
    assert texts(patch(api, asset, (0, None))) == ["Hello there.", "Too."]


def test_what_changes_nothing_leaves_no_trace(api, db, asset):
    patch(api, asset, (0, "Hello there."), (1, None))
    assert edits(db) == 0
    patch(api, asset, (0, "Changed."))
    patch(api, asset, (0, "Changed."))
    assert edits(db) == 1


@pytest.mark.parametrize("form", ["srt", "vtt"])
def test_players_get_the_corrected_texts(api, asset, form):
    patch(api, asset, (0, "Changed."))
    shown = api.get(url(asset), query_string={"format": form}).text
    assert "Changed." in shown
    assert "Hello there." not in shown


def test_a_blank_text_hides_its_segment(api, asset):
    patch(api, asset, (0, " "))
    shown = api.get(url(asset), query_string={"format": "srt"}).text
    assert shown.startswith("1\n00:00:03,000 --> ")


def test_the_history_tells_who_changed_what(api, asset):
    patch(api, asset, (0, "One."), headers={"x-actor-id": "Ann"})
    patch(api, asset, (0, "Two."), (1, "Other."), headers={"x-actor-id": "Ben"})
    patch(api, asset, (0, None), headers={"x-actor-id": "Cid"})

    told = api.get(url(asset, "/edits")).json
    assert [(one["index"], one["text"], one["actor"]) for one in told["edits"]] == [
        (0, None, "Cid"),
        (1, "Other.", "Ben"),
        (0, "Two.", "Ben"),
        (0, "One.", "Ann"),
    ]
    assert all(one["current"] for one in told["edits"])
    assert told["pagination"]["total"] == 4


def test_the_history_has_pages(api, asset):
    for number in range(5):
        patch(api, asset, (0, f"Text {number}."))
    told = api.get(url(asset, "/edits"), query_string={"limit": 2, "offset": 1}).json
    assert [one["text"] for one in told["edits"]] == ["Text 3.", "Text 2."]
    assert told["pagination"]["hasMore"] is True


def test_they_can_be_put_back_to_what_they_were(api, asset):
    patch(api, asset, (0, "One."))
    patch(api, asset, (0, "Two."), (1, "Other."))
    first = api.get(url(asset, "/edits")).json["edits"][-1]["id"]

    reply = api.post(url(asset, "/reversions"), json={"edit_id": first})
    assert texts(reply) == ["One.", "Welcome to the show."]
    reply = api.post(url(asset, "/reversions"), json={"edit_id": 0})
    assert texts(reply) == [one.text for one in SAID]
    assert len(api.get(url(asset, "/edits")).json["edits"]) == 6  # none was removed


def test_an_edit_of_another_film_is_not_found(api, db, asset):
    other = factories.asset(db)
    said(db, other)
    patch(api, other, (0, "Theirs."))
    [theirs] = api.get(url(other, "/edits")).json["edits"]
    for id_ in (theirs["id"], 2**62):
        reply = api.post(url(asset, "/reversions"), json={"edit_id": id_})
        assert reply.status_code == 404


OTHERS = (Segment(0, 5750, "Something else."),)


def test_corrections_are_not_put_to_other_words(api, db, asset):
    version = api.get(url(asset)).json["version"]
    patch(api, asset, (0, "Changed."))
    said(db, asset, segments=OTHERS)

    assert texts(api.get(url(asset))) == ["Something else."]
    reply = patch(api, asset, (0, "Late."), version=version)
    assert (reply.status_code, reply.json["error"]["code"]) == (
        409,
        "transcript_replaced",
    )
    [old] = api.get(url(asset, "/edits")).json["edits"]
    assert (old["text"], old["current"]) == ("Changed.", False)


def test_they_come_back_with_the_words_that_they_were_made_for(api, db, asset):
    patch(api, asset, (0, "Changed."))
    said(db, asset, segments=OTHERS)
    said(db, asset)
    assert texts(api.get(url(asset)))[0] == "Changed."


def test_any_script_can_be_corrected_and_its_direction_is_told(api, db):
    asset = factories.asset(db)
    said(db, asset, segments=ARABIC[:2], language="ar")
    corrected = "أهلاً وسهلاً بكم\u200f!"
    reply = patch(api, asset, (0, corrected))
    assert texts(reply)[0] == corrected
    assert reply.json["direction"] == "rtl"
    shown = api.get(url(asset), query_string={"format": "vtt"}).text
    assert corrected in shown


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"segments": [{"index": 2, "text": "x"}]}, 422),
        ({"segments": [{"index": -1, "text": "x"}]}, 422),
        ({"segments": [{"index": 0, "text": "x" * 2001}]}, 422),
        ({"segments": [{"index": 0, "text": "a\u0000b"}]}, 422),
        ({"segments": [{"index": 0}]}, 422),
        ({"segments": "all"}, 422),
        ({}, 422),
    ],
)
@pytest.mark.parametrize("method", ["put", "patch"])
def test_what_cannot_be_is_refused_whole(api, db, asset, sent, status, method):
    both = {**sent}
    if isinstance(sent.get("segments"), list):
        both["segments"] = [{"index": 1, "text": "Good."}, *sent["segments"]]
    reply = getattr(api, method)(url(asset), json=both)
    assert reply.status_code == status
    assert edits(db) == 0


def test_what_is_not_there_is_not_found(api, db, asset):
    empty = factories.asset(db)
    for end in ("", "/edits"):
        assert api.get(url(empty, end)).json["detail"] == "Transcript not found"
        foreign = f"/projects/theirs/videos/{asset.id}/subtitles{end}"
        assert api.get(foreign).status_code == 404


def test_reading_costs_three_statements(api, asset, statements):
    statements.clear()
    api.get(url(asset))
    assert len(statements) == 3
