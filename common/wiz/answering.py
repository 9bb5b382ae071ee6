"""One answer, from the first word to the row that keeps it."""

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Self
from uuid import UUID

from sqlalchemy.orm import Session

from common import budget, ledger
from common.deps import Deps
from common.errors import ProviderError, ProviderUnavailable
from common.ids import new_id
from common.providers.llm import LanguageModel
from common.providers.llm.chatting import estimate
from common.spending import give_back, hold
from common.talk import Talk
from common.usage import Usage
from common.wiz.citations import Citation, citations
from common.wiz.wording import Wording

log = logging.getLogger(__name__)

_MOST_LETTERS = 12_000  # 400 words take 3,000; a model that goes on for ever is cut
_MOST_SECONDS = 120.0  # for a whole answer, also when nobody reads it any more


@dataclass(frozen=True, slots=True)
class Answer:
    """All that was said to a person, and what of it the recording supports."""

    text: str
    citations: list[Citation]


def begin(
    deps: Deps,
    model: LanguageModel,
    talk: Talk,
    *,
    keep: Callable[[Session, Answer], None],
    undo: Callable[[Session], None],
) -> "Answering":
    """Set aside what the answer may cost, and return it; it is not asked for yet.

    Args:
        deps: everything outside.
        model: who answers.
        talk: the question, and all that the model is shown.
        keep: called once in the transaction that counts the cost, with all of it.
        undo: called once instead when there is no answer.

    Raises:
        BudgetExhausted: nothing is held; go on tomorrow.
        BudgetRefused: nothing is held, on no day.
    """
    held = hold(deps, estimate(model.engine, talk))
    return Answering(deps, model, talk, held, keep, undo)


class Answering:
    """The pieces of an answer. The last one follows when all of it is saved.

    No transaction is open while the model speaks. Closed early, because the client has
    left, it goes on to its end in a bounded time: it is paid for, and will be read when
    the talk is opened again.

    Raises:
        ProviderError: there is no answer; nothing of it is saved.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - by ``begin`` only
        self,
        deps: Deps,
        model: LanguageModel,
        talk: Talk,
        held: UUID | None,
        keep: Callable[[Session, Answer], None],
        undo: Callable[[Session], None],
    ) -> None:
        self.answer: Answer | None = None
        self._deps, self._model, self._talk = deps, model, talk
        self._held, self._keep, self._undo = held, keep, undo
        self._usage: Usage | None = None
        self._begun = self._ended = False
        self._pieces = self._spoken()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        self._begun = True
        return next(self._pieces)

    def close(self) -> None:
        """Let it end without a reader; what was never asked for is undone."""
        if not self._begun:
            self._begun = self._ended = True
            self._forget()
        elif not self._ended:
            try:
                for _ in self._pieces:
                    pass
            except ProviderError as exc:
                log.warning("wiz.unread_answer_failed", extra={"code": exc.code})

    def _spoken(self) -> Iterator[str]:
        said: list[str] = []
        try:
            wording = Wording(self._talk.sources)
            for piece in self._bounded():
                shown = wording.add(piece)
                shown = shown if said else shown.lstrip()
                if shown:
                    said.append(shown)
                    yield shown
            rest = wording.rest()
            if not said and not rest.strip():
                raise ProviderUnavailable(
                    "No response from AI model. Please try again.", code="answer_empty"
                )
        except ProviderError as exc:
            self._ended = True
            self._fail(exc)
            raise
        self._ended = True
        self._save("".join((*said, rest)))
        if rest:
            yield rest

    def _bounded(self) -> Iterator[str]:
        """Yield the model's words, so many and so long; then it is cut short."""
        ends = time.monotonic() + _MOST_SECONDS
        left = _MOST_LETTERS
        for piece in self._model.chat(self._talk):
            if time.monotonic() > ends:
                raise ProviderUnavailable("The answer takes too long.")
            if isinstance(piece, Usage):
                self._usage = piece
            elif left > 0:
                yield piece[:left]
                left -= len(piece)
            else:
                return

    def _save(self, text: str) -> None:
        self.answer = Answer(text, citations(text, self._talk.sources))
        engine = self._model.engine
        used = self._usage or Usage(engine.provider, engine.model)
        with self._deps.db.begin() as session:
            self._keep(session, self.answer)
            if used.cost_usd_micros != 0:  # what runs here is no outside service
                ledger.charge(session, usage=used, job_id=new_id())
            budget.settle(session, self._held, used.cost_usd_micros)

    def _fail(self, failure: ProviderError) -> None:
        give_back(self._deps, self._held, failure)
        with self._deps.db.begin() as session:
            self._undo(session)

    def _forget(self) -> None:
        with self._deps.db.begin() as session:
            if self._held is not None:
                budget.release(session, self._held)
            self._undo(session)
