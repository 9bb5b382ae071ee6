"""Questions of the mobile app about a course, answered from its lectures."""

import logging
from collections.abc import Sequence
from typing import Annotated, Any

from flask import Blueprint
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, Field, StrictBool, StringConstraints
from sqlalchemy import select
from sqlalchemy.orm import Session

from api_service import talks
from api_service.context import body, reading
from api_service.openapi import describes
from api_service.people.owners import visible
from common.errors import NotFound, ProviderError
from common.models import Course, Lecture, TranscriptRecord
from common.talk import Turn
from common.wiz import Subject
from common.wiz.answering import Answer

log = logging.getLogger(__name__)

bp = Blueprint("chat", __name__, url_prefix="/chat")

_MOST_LECTURES = 200  # of a course; the newest ones are searched
_MOST_TURNS = 100  # that are sent; the last ones count
_NOTHING = (
    "There is no transcript of a lecture here yet, so I cannot answer questions about"
    " it. Ask again when one is ready."
)
_SORRY = "Sorry, I could not answer that just now. Please try again in a moment."


# Inside an object nothing but its own pattern keeps out what PostgreSQL cannot hold.
_NO_NUL = r"^[^\u0000]*$"
_Name = Annotated[str, Field(max_length=200, pattern=_NO_NUL)]


class TurnIn(BaseModel):
    """What was said before."""

    text: Annotated[str, Field(max_length=20_000, pattern=_NO_NUL)]
    isUser: StrictBool


class Scope(BaseModel):
    """What the question is about; absent: all lectures that the caller may see."""

    courseId: _Name | None = None
    lectureId: _Name | None = None


class ChatIn(BaseModel):
    """A question, and what was said before it."""

    message: Annotated[
        str,
        StringConstraints(
            strip_whitespace=True, min_length=1, max_length=talks.MOST_LETTERS
        ),
    ]
    history: Annotated[list[TurnIn], Field(max_length=_MOST_TURNS)] = []
    context: Scope | None = None


class LectureCitation(BaseModel):
    """A passage that the answer rests on, in the lecture's own words."""

    start_ms: int
    end_ms: int
    quote: str
    page: int | None = None
    lecture_id: str


class ChatOut(BaseModel):
    """The answer."""

    response: str
    citations: list[LectureCitation]


@bp.post("")
@describes(body=ChatIn, gives=ChatOut, errors=(404, 409, 429))
def answer() -> ResponseReturnValue:
    """Answer a question from the transcripts of a course or a lecture.

    When the model fails the answer says so; nothing is counted then.
    """
    asked = body(ChatIn)
    with reading() as session:
        subjects = _subjects(session, asked.context or Scope())
    if not subjects:
        return _out(_NOTHING)
    answering = talks.begin(
        subjects, asked.message, _turns(asked.history), _keep_nothing
    )
    try:
        text = "".join(answering)
    except ProviderError as exc:
        log.warning("chat.no_answer", extra={"code": exc.code, "error": str(exc)})
        return _out(_SORRY)
    cited = answering.answer.citations if answering.answer else []
    return _out(text, [_cited(one, subjects) for one in cited])


def _subjects(session: Session, scope: Scope) -> list[Subject]:
    """Return the lectures that have a transcript, the newest first.

    Raises:
        NotFound: no such course or lecture, or it is somebody else's.
    """
    if scope.courseId is not None:
        course = select(Course.id).where(Course.id == scope.courseId, visible(Course))
        if session.scalar(course) is None:
            raise NotFound("Course not found.")
    if scope.lectureId is not None:
        lecture = select(Lecture.id).where(
            Lecture.id == scope.lectureId, visible(Lecture)
        )
        if session.scalar(lecture) is None:
            raise NotFound("Lecture not found.")
    query = (
        select(Lecture.id, Lecture.title, Lecture.recording_id, TranscriptRecord)
        .join(TranscriptRecord, TranscriptRecord.recording_id == Lecture.recording_id)
        .where(visible(Lecture))
        .order_by(Lecture.created_at.desc(), Lecture.id.desc())
        .limit(_MOST_LECTURES)
    )
    if scope.courseId is not None:
        query = query.where(Lecture.course_id == scope.courseId)
    if scope.lectureId is not None:
        query = query.where(Lecture.id == scope.lectureId)
    return [
        Subject(lecture_id, title, recording_id, transcript.language)
        for lecture_id, title, recording_id, transcript in session.execute(query)
    ]


def _turns(history: Sequence[TurnIn]) -> list[Turn]:
    """Return the last turns, each as long as a question or an answer may be."""
    return [
        Turn("user" if one.isUser else "assistant", one.text[: talks.MOST_LETTERS])
        for one in history[-talks.HISTORY :]
        if one.text.strip()
    ]


def _keep_nothing(_session: Session, _answer: Answer) -> None:
    """The app keeps its talks itself."""


def _cited(citation: dict[str, Any], subjects: Sequence[Subject]) -> dict[str, Any]:
    source = citation.pop("source", subjects[0].id)
    return {**citation, "lecture_id": source}


def _out(text: str, citations: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
    return {"response": text, "citations": list(citations)}
