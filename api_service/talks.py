"""Questions to Wiz: who may ask how many, of which model, and what is on record."""

from collections.abc import Callable, Sequence

from sqlalchemy.orm import Session

from api_service.context import deps, reading
from api_service.people.callers import caller
from api_service.rate_limits import client_address
from common import wiz
from common.errors import AppError
from common.providers import llm
from common.providers.llm import LanguageModel, chatting
from common.talk import Talk, Turn
from common.wiz import Subject, quotas
from common.wiz.answering import Answer
from common.wiz.quotas import Allowance

MOST_LETTERS = 4_000  # of one question; two pages, and none of a paid model's books
HISTORY = 9  # turns before the question, which is the tenth


class NoModel(AppError):
    """Chat is not configured."""

    code = "provider_not_configured"


def model() -> LanguageModel:
    """Return the model that answers.

    Raises:
        NoModel: it lacks its key.
    """
    settings = deps().settings
    if variable := llm.missing(settings, settings.llm_provider):
        raise NoModel(f"Chat is not configured: {variable} is not set.")
    return deps().llm(settings.llm_provider, settings.chat_model)


def allowances() -> list[Allowance]:
    """Return what the caller's questions are counted against, the own count first."""
    settings, who = deps().settings, caller()
    if who.user_id is not None:
        most = settings.wiz_user_daily_quota
        refusal = f"Daily limit reached ({most} messages/day)"
        return [Allowance(f"user:{who.user_id}", most, refusal)]
    most = settings.wiz_address_daily_quota
    refusal = f"Daily limit reached ({most} messages/day from one address)"
    found = [Allowance(f"address:{client_address()}", most, refusal)]
    if who.guest is not None:
        most = settings.wiz_guest_daily_quota
        refusal = f"Daily limit reached ({most} guest messages/day)"
        found.insert(0, Allowance(f"guest:{who.guest}", most, refusal))
    return found


def begin(
    subjects: Sequence[Subject],
    question: str,
    history: Sequence[Turn],
    keep: Callable[[Session, Answer], None],
) -> wiz.Answering:
    """Count the question and return its answer, which is not asked for yet.

    It is counted no more when no answer comes.

    Raises:
        NoModel: nothing was counted.
        DailyLimit: nothing was counted.
        BudgetExhausted: nothing was counted, and nobody gets an answer today.
        BudgetRefused: nothing was counted.
    """
    chosen, db = model(), deps().db
    room = chatting.room(chosen.engine, question, history)
    with reading() as session:
        sources = wiz.sources(session, subjects, question, room)
    with db.begin() as session:
        taken = quotas.take(session, allowances())

    def undo(session: Session) -> None:
        quotas.give_back(session, taken)

    try:
        talk = Talk(sources, question, history)
        return wiz.begin(deps(), chosen, talk, keep=keep, undo=undo)
    except AppError:
        with db.begin() as session:
            undo(session)
        raise
