"""What study documents teach, as words to be searched for."""

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from common.models import Lecture, TranscriptRecord
from common.text.search import words_of

TAUGHT = (
    "answer",
    "back",
    "bullets",
    "choices",
    "definition",
    "example",
    "explanation",
    "front",
    "overview",
    "points",
    "prompt",
    "summary",
    "term",
    "title",
)
"""The keys under which a document says something; the others name and count."""

_INDEX = text(f"""
update artifacts
   set search = jsonb_to_tsvector(
         cast(:words as regconfig),
         jsonb_path_query_array(document,
           'strict $.** ? (@.type() == "object").keyvalue()
            ? (@.key like_regex "^({"|".join(TAUGHT)})$").value'),
         '["string"]')
 where lecture_id = :lecture_id
""")  # noqa: S608 - made of our own words


def index(session: Session, lecture_id: str) -> None:
    """Make a lecture's study documents searchable, in the language of the lecture."""
    language = session.scalar(
        select(TranscriptRecord.language)
        .join(Lecture, Lecture.recording_id == TranscriptRecord.recording_id)
        .where(Lecture.id == lecture_id)
    )
    values = {"lecture_id": lecture_id, "words": words_of(language or "")}
    session.execute(_INDEX, values)
