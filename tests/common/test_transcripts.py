"""Transcripts as rows: replaced as a whole, and searched in their language."""

import re
from uuid import uuid4

import pytest
from alembic import command
from sqlalchemy import NullPool, select, text

from common import db as database
from common import migrations, transcripts
from common.models import DoomedObject, Recording, SegmentRecord, TranscriptRecord
from common.text.search import CONFIGURATIONS, words_of
from common.transcript import Engine, Gap, Segment, Transcript
from tests import factories

LOUD = Segment(0, 900, "The cats were running.", ("low_confidence",), 0.5)
LAST = Segment(900, 2000, 'A "quoted" \\ line\nof ten.', page=3)


def said(*segments, language="en-US"):
    return Transcript(
        segments, language, Engine("fake", "f-1"), 2000, 1500, (Gap(0, 500, "lost"),)
    )


def save(db, recording, transcript, key="t/1"):
    with db.begin() as session:
        transcripts.replace(session, recording.id, None, key, transcript)


def found(db, words, query):
    """Return the numbers of the segments that a question finds."""
    matches = SegmentRecord.search.bool_op("@@")(
        text("websearch_to_tsquery(cast(:words as regconfig), :query)")
    )
    with db.begin() as session:
        rows = session.scalars(
            select(SegmentRecord.number).where(matches),
            {"words": words, "query": query},
        )
        return list(rows)


def test_segments_come_back_as_they_were_saved(db):
    recording = factories.recording(db)
    save(db, recording, said(LOUD, LAST))
    with db.begin() as session:
        assert transcripts.segments_of(session, recording.id) == (LOUD, LAST)


def test_the_row_knows_language_engine_and_gaps(db):
    recording = factories.recording(db)
    save(db, recording, said(LOUD))
    with db.begin() as session:
        row = session.get(TranscriptRecord, recording.id)
        known = session.get(Recording, recording.id)
    assert (row.language, row.provider, row.model) == ("en-US", "fake", "f-1")
    assert (row.total_ms, row.heard_ms) == (2000, 1500)
    assert row.gaps == [{"start_ms": 0, "end_ms": 500, "reason": "lost"}]
    assert known.duration_ms == 2000


def test_a_second_transcript_takes_the_place_of_the_first(db):
    recording = factories.recording(db)
    save(db, recording, said(LOUD, LAST), "t/1")
    save(db, recording, said(LAST), "t/2")
    with db.begin() as session:
        assert transcripts.segments_of(session, recording.id) == (LAST,)
        assert list(session.scalars(select(DoomedObject.object_key))) == ["t/1"]


def test_a_silent_recording_has_a_transcript_without_segments(db):
    recording = factories.recording(db)
    save(db, recording, said())
    with db.begin() as session:
        assert transcripts.segments_of(session, recording.id) == ()
        assert session.get(TranscriptRecord, recording.id) is not None


def test_all_segments_are_one_statement(db, statements):
    recording = factories.recording(db)
    statements.clear()
    save(db, recording, said(*[LOUD] * 50))
    assert sum("transcript_segments" in sent for sent in statements) == 1


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en-US", "english"),
        ("de", "german"),
        ("hi", "hindi"),
        ("english", "english"),
        ("PT_br", "portuguese"),
        ("nb-NO", "norwegian"),
        ("ja", "simple"),
        ("", "simple"),
        ("en'; drop table users", "simple"),
    ],
)
def test_each_language_is_searched_in_its_own_words(language, words):
    assert words_of(language) == words


def test_other_forms_of_a_word_are_found(db):
    save(db, factories.recording(db), said(LOUD, LAST))
    assert found(db, "english", "cat runs") == [0]


def test_an_unknown_language_is_searched_word_by_word(db):
    save(db, factories.recording(db), said(LOUD, language="xx"))
    assert found(db, "simple", "running cats") == [0]
    assert found(db, "simple", "cat") == []


def test_a_page_longer_than_an_index_entry_can_be_is_saved(db):
    page = " ".join(f"word{n}" for n in range(200_000))
    save(db, factories.recording(db), said(Segment(0, 0, page, page=1)))
    assert found(db, "english", "word7") == [0]


def test_this_postgresql_knows_every_configuration(db):
    with db.begin() as session:
        known = set(session.scalars(text("select cfgname from pg_ts_config")))
    assert set(CONFIGURATIONS.values()) <= known


def test_transcripts_from_before_are_made_searchable(new_database):
    url = new_database()
    engine = database.engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        command.upgrade(migrations.config(connection), "0012_expand_videos")
    languages = ["en-US", "german", "nb", "xx"]
    with engine.begin() as connection:
        for language in languages:
            connection.execute(text(_OLD), {"id": uuid4(), "language": language})
    migrations.upgrade(url)
    with engine.connect() as connection:
        rows = connection.execute(text(_FILLED)).all()
    engine.dispose()
    assert len(rows) == len(languages)
    assert all(re.search(r"'\w+':1", row.search) for row in rows)
    assert all(
        row.search == row.expected for row in rows if words_of(row.language) != "simple"
    )


_OLD = """
with r as (
  insert into recordings (id, kind, original_filename, size_bytes, sha256)
  values (:id, 'audio', 'a.wav', 1, '0') returning id),
t as (
  insert into transcripts (recording_id, object_key, language, provider, model,
                           total_ms, heard_ms, gaps)
  select id, 'k', :language, 'p', 'm', 1, 1, '[]' from r returning recording_id)
insert into transcript_segments (recording_id, number, start_ms, end_ms, text, flags)
select recording_id, 0, 0, 1, 'running katzen hester', '{}' from t
"""
_FILLED = """
select t.language, s.search::text,
       to_tsvector((case t.language when 'en-US' then 'english' when 'german'
         then 'german' when 'nb' then 'norwegian' else 'simple' end)::regconfig,
         s.text)::text as expected
  from transcript_segments s join transcripts t using (recording_id)
"""
