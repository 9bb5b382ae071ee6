"""What is said in a talk with Wiz; an answer streams while it is written."""

import json
import logging
from collections.abc import Iterator
from typing import Annotated, Any, Self

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, Field, RootModel, field_validator
from sqlalchemy import func, insert, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from api_service import talks
from api_service.context import body, reading
from api_service.live.streams import sse
from api_service.openapi import describes
from api_service.routes.v2 import conversations, talk_subjects
from api_service.routes.v2.schemas import Strict, moment
from common.errors import ProviderError, Unavailable
from common.models import Conversation, Message
from common.talk import Turn
from common.wiz import Answering, quotas
from common.wiz.answering import Answer

log = logging.getLogger(__name__)

bp = Blueprint("v2_messages", __name__, url_prefix="/v2/conversations")

_MOST_LISTED = 1_000  # messages; 20 questions a day take most of a month
_PROCESSING = {"status": "processing", "message": "Transcript processing"}
_DONE = "data: [DONE]\n\n"


class Question(Strict):
    """What is asked."""

    message: Annotated[str, Field(max_length=talks.MOST_LETTERS)]

    @field_validator("message", mode="after")
    @classmethod
    def _message_is_not_blank(cls, value: str) -> str:
        if not (message := value.strip()):
            raise ValueError("message cannot be empty")
        return message


class Processing(BaseModel):
    """The transcript is not there yet; ask again later. Nothing was counted."""

    status: str
    message: str


class CitationOut(BaseModel):
    """A passage of the recording that an answer rests on, in the recording's words."""

    start_ms: int
    end_ms: int
    quote: str
    page: int | None = None


class MessageOut(BaseModel):
    """One side of a turn."""

    id: int
    conversation_id: int
    role: str
    content: str
    metadata: None
    created_at: str
    citations: list[CitationOut] | None


class Messages(RootModel[list[MessageOut]]):
    """What was said in a talk, oldest first."""


@bp.get("/<conversation_id>/messages")
@describes(gives=Messages, errors=(404, 422))
def list_all(conversation_id: str) -> ResponseReturnValue:
    """Return what was said in a talk so far, oldest first."""
    with reading() as session:
        conversation = conversations.find(session, conversation_id)
        found = _latest(session, conversation.id, _MOST_LISTED)
    return jsonify([_shown(message) for message in found])


@bp.post("/<conversation_id>/messages")
@describes(
    body=Question,
    gives="text/event-stream",
    also={202: Processing},
    errors=(404, 409, 429),
)
def ask(conversation_id: str) -> ResponseReturnValue:
    """Answer a question, word by word, and keep both when the answer is complete."""
    with reading() as session:
        conversation = conversations.find(session, conversation_id)
        question = body(Question).message
        quotas.require(session, talks.allowances())
        subject = talk_subjects.find(session, conversation)
        if subject is None:
            return _PROCESSING, 202
        before = _latest(session, conversation.id, talks.HISTORY)
    history = [_turn(message) for message in before]

    def keep(session: Session, answer: Answer) -> None:
        _save(session, conversation.id, question, answer)

    answering = talks.begin([subject], question, history, keep)
    try:
        return sse(_Frames(answering))
    except Unavailable:
        answering.close()
        raise


class _Frames(Iterator[str]):
    """An answer as both generations of clients read it; extra keys are new."""

    def __init__(self, answering: Answering) -> None:
        self._answering = answering
        self._frames = self._told()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        return next(self._frames)

    def close(self) -> None:
        """The client has left, or has all."""
        self._answering.close()

    def _told(self) -> Iterator[str]:
        held = None  # one piece, until it is known whether it is the last one
        try:
            for piece in self._answering:
                if held is not None:
                    yield _frame({"content": held})
                held = piece
        except ProviderError as exc:
            log.warning("wiz.no_answer", extra={"code": exc.code, "error": str(exc)})
            known = exc.code == "answer_empty"
            yield _frame({"error": str(exc) if known else "Processing error"})
        except SQLAlchemyError as exc:
            log.exception("wiz.not_saved", extra={"error": type(exc).__name__})
            yield _frame({"error": "Processing error"})
        else:
            yield _frame({"content": held, **self._citations()})
        yield _DONE

    def _citations(self) -> dict[str, Any]:
        answer = self._answering.answer
        cited = answer.citations if answer else []
        return {"citations": cited} if cited else {}


def _frame(event: dict[str, Any]) -> str:
    return f"data: {json.dumps(event)}\n\n"


def _latest(session: Session, conversation_id: int, most: int) -> list[Message]:
    found = session.scalars(
        select(Message)
        .where(Message.conversation_id == conversation_id)
        .order_by(Message.id.desc())
        .limit(most)
    )
    return list(found)[::-1]


def _turn(message: Message) -> Turn:
    return Turn("user" if message.role == "user" else "assistant", message.content)


def _save(
    session: Session, conversation_id: int, question: str, answer: Answer
) -> None:
    """Save a turn, whole; not if its talk was deleted while it was answered."""
    kept = session.execute(
        update(Conversation)
        .where(Conversation.id == conversation_id)
        .values(updated_at=func.now())
        .returning(Conversation.id)
    ).first()
    if kept is None:
        return
    turn = [("user", question, None), ("assistant", answer.text, answer.citations)]
    session.execute(
        insert(Message).values(
            [
                {
                    "conversation_id": conversation_id,
                    "role": role,
                    "content": content,
                    "citations": cited,
                }
                for role, content, cited in turn
            ]
        )
    )


def _shown(message: Message) -> dict[str, Any]:
    return {
        "id": message.id,
        "conversation_id": message.conversation_id,
        "role": message.role,
        "content": message.content,
        "metadata": None,
        "created_at": moment(message.created_at),
        "citations": message.citations,
    }
