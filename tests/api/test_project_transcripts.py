"""What was said in a project's film: as data, SRT and WebVTT."""

from uuid import uuid4

import pytest

from common import transcripts
from common.models import TranscriptRecord
from common.transcript import Engine, Segment, Transcript
from tests import factories

SAID = (
    Segment(0, 2500, "Hello there.", confidence=0.75),
    Segment(3000, 5750, "Welcome to the show."),
)
ARABIC = (
    Segment(0, 2000, "مرحبا بكم في الدرس"),
    Segment(2000, 4000, "שלום וברוכים הבאים"),
    Segment(4000, 6000, "こんにちは、ようこそ。"),
)
ABOUT = {
    "transcript_id": "4c8f",
    "usage": {"requests": 1, "total_tokens": 80},
    "parameters": {"language": "en", "prompt": None},
    "chunk_durations": [6.014],
}


def said(db, asset, segments=SAID, about=None, language="en"):
    """Save a transcript of a file, as its job does."""
    end = max((one.end_ms for one in segments), default=0)
    heard = Transcript(segments, language, Engine("fake", "fake-1"), end, end)
    key = f"transcripts/assets/{asset.id}/{uuid4()}.1.json"
    with db.begin() as session:
        transcripts.replace(session, asset.recording_id, uuid4(), key, heard)
        session.get_one(TranscriptRecord, asset.recording_id).about = about


@pytest.fixture
def asset(db):
    return factories.asset(db)


def path(asset, end="ai/transcript"):
    return f"/projects/{asset.project_id}/videos/{asset.id}/{end}"


@pytest.mark.parametrize("prefix", ["", "/api"])
def test_a_transcript_is_shown_as_its_clients_know_it(api, db, asset, prefix):
    said(db, asset, about=ABOUT)
    told = api.get(prefix + path(asset)).json
    created = told.pop("created_at")
    assert told.pop("updated_at") == created
    assert told == {
        "asset_id": str(asset.id),
        "project_id": "demo",
        "request_id": "4c8f",
        "language": "en",
        "text": "Hello there. Welcome to the show.",
        "segment_count": 2,
        "duration": 5.75,
        "usage": ABOUT["usage"],
        "segments": [
            {
                "index": 0,
                "start": 0.0,
                "end": 2.5,
                "duration": 2.5,
                "text": "Hello there.",
                "confidence": 0.75,
                "language": "en",
                "speaker": None,
            },
            {
                "index": 1,
                "start": 3.0,
                "end": 5.75,
                "duration": 2.75,
                "text": "Welcome to the show.",
                "confidence": None,
                "language": "en",
                "speaker": None,
            },
        ],
        "cached": False,
        "metadata": {
            "request_hash": "4c8f",
            "chunk_count": 1,
            "chunk_durations": [6.014],
            "parameters": ABOUT["parameters"],
            "engine": {"provider": "fake", "model": "fake-1"},
            "gaps": [],
        },
    }


def test_it_costs_two_statements(api, db, asset, statements):
    said(db, asset)
    statements.clear()
    assert api.get(path(asset)).status_code == 200
    assert len(statements) == 2


def test_silence_is_a_transcript_without_words(api, db, asset):
    said(db, asset, segments=())
    told = api.get(path(asset)).json
    assert (told["text"], told["segments"], told["duration"]) == ("", [], 0.0)
    assert api.get(path(asset), query_string={"format": "srt"}).text == ""


@pytest.mark.parametrize(
    ("form", "kind", "starts"),
    [
        ("srt", "application/x-subrip", "1\n00:00:00,000 --> 00:00:02,500\nHello"),
        ("vtt", "text/vtt", "WEBVTT\n\n00:00:00.000 --> 00:00:02.500\nHello"),
    ],
)
def test_players_get_a_file(api, db, asset, form, kind, starts):
    said(db, asset)
    reply = api.get(path(asset), query_string={"format": form})
    assert reply.text.startswith(starts)
    assert reply.content_type == f"{kind}; charset=utf-8"
    name = f'attachment; filename="lesson-{asset.id.hex}.{form}"'
    assert reply.headers["Content-Disposition"] == name


@pytest.mark.parametrize("form", ["srt", "vtt"])
def test_any_script_reaches_the_player(api, db, asset, form):
    said(db, asset, segments=ARABIC, language="ar")
    shown = api.get(path(asset), query_string={"format": form}).text
    assert all(one.text in shown for one in ARABIC)


def test_what_is_not_there_is_not_found(api, db, asset):
    assert api.get(path(asset)).json["detail"] == "Transcript not found"
    for wrong in (uuid4(), "no-id"):
        reply = api.get(f"/projects/demo/videos/{wrong}/ai/transcript")
        assert reply.status_code == 404
    said(db, asset)
    theirs = api.get(f"/projects/theirs/videos/{asset.id}/ai/transcript")
    assert (theirs.status_code, theirs.json["detail"]) == (404, "Video asset not found")


def test_an_unknown_format_is_refused(api, db, asset):
    said(db, asset)
    assert api.get(path(asset), query_string={"format": "doc"}).status_code == 422
