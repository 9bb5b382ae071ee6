"""Study documents as words: what they teach is found, what they are made of is not."""

from uuid import uuid4

import pytest
from alembic import command
from sqlalchemy import NullPool, text

from common import db as database
from common import migrations, study_index
from common.models import Artifact
from tests import factories
from tests.api import talking

DOCUMENT = {
    "id": "okapi",
    "artifactType": "summary",
    "engine": {"provider": "zebra"},
    "overview": "Cells were living.",
    "sections": [
        {"title": "Osmosis", "bullets": ["Water moves."]},
        {"title": "Mäuse", "citations": [{"quote": "giraffe", "start_ms": 1}]},
    ],
    "cards": [{"front": "What?", "back": "That.", "tags": ["lion"]}],
}


@pytest.fixture
def indexed(db):
    """Save the document of a lecture in some language."""

    def indexed(language="en"):
        found = factories.lecture(db)
        talking.speak(db, found.recording_id, "Hello.", language=language)
        factories.artifact(db, document=DOCUMENT)
        with db.begin() as session:
            study_index.index(session, "l1")

    return indexed


def holds(db, words, configuration="english"):
    matches = Artifact.search.bool_op("@@")(
        text("websearch_to_tsquery(cast(:words as regconfig), :q)")
    )
    with db.begin() as session:
        query = session.query(Artifact.id).filter(matches)
        return bool(query.params(words=configuration, q=words).all())


@pytest.mark.parametrize("words", ["live cell", "water", "osmosis", "that"])
def test_what_is_taught_is_found(db, indexed, words):
    indexed()
    assert holds(db, words) is (words != "that")  # which says nothing in English


@pytest.mark.parametrize("words", ["okapi", "zebra", "giraffe", "lion", "overview"])
def test_names_quotes_and_labels_are_not(db, indexed, words):
    indexed()
    assert not holds(db, words)


def test_it_is_found_in_the_language_of_the_lecture(db, indexed):
    indexed("de-DE")
    assert holds(db, "Maus", "german")
    assert not holds(db, "live", "english")


def test_without_a_transcript_words_are_found_as_they_stand(db):
    factories.lecture(db)
    factories.artifact(db, document=DOCUMENT)
    with db.begin() as session:
        study_index.index(session, "l1")
    assert holds(db, "living", "simple")
    assert not holds(db, "live", "simple")


def test_documents_from_before_are_made_searchable(new_database):
    url = new_database()
    engine = database.engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        command.upgrade(migrations.config(connection), "0012_expand_videos")
    with engine.begin() as connection:
        values = {"id": uuid4(), "document": '{"overview": "Cells were living."}'}
        for statement in _OLD.split(";"):
            connection.execute(text(statement), values)
    migrations.upgrade(url)
    with engine.connect() as connection:
        found = connection.scalar(text("select cast(search as text) from artifacts"))
    engine.dispose()
    assert found == "'cell':1 'live':3"


_OLD = """
insert into courses (id, title) values ('c1', 'C');
insert into recordings (id, kind, original_filename, size_bytes, sha256)
values (:id, 'audio', 'a.wav', 1, '0');
insert into transcripts (recording_id, object_key, language, provider, model, total_ms,
                         heard_ms, gaps)
values (:id, 'k', 'en-US', 'p', 'm', 1, 1, '[]');
insert into lectures (id, course_id, preset_id, title, status, recording_id)
values ('l1', 'c1', 'p', 'T', 'generated', :id);
insert into artifacts (id, lecture_id, course_id, preset_id, artifact_type, object_key,
                       document, job_id)
values (:id, 'l1', 'c1', 'p', 'summary', 'k', cast(:document as jsonb), :id)
"""
