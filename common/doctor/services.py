"""Whether the queue, the worker and the API answer, and believe us."""

from collections.abc import Iterable, Iterator
from datetime import date
from http import HTTPStatus
from uuid import uuid4

from common.deps import Deps
from common.doctor.asking import Answer, ask, reason
from common.doctor.finding import Finding
from common.errors import ProviderUnavailable
from common.providers import internal_calls

_PRIVATE = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


def queue(deps: Deps, _today: date) -> Iterable[Finding]:
    """Tell whether tasks can be sent."""
    if deps.settings.inline_jobs:
        text = "PLC_INLINE_JOBS is set: there is no queue, requests do the work."
        yield Finding("note", text)
        return
    try:
        deps.queue.check()
    except ProviderUnavailable as exc:
        yield Finding("problem", f"Tasks cannot be sent. {exc} {_of_queue(deps, exc)}")
    else:
        yield Finding("ok", "Tasks can be sent.")


def _of_queue(deps: Deps, exc: ProviderUnavailable) -> str:
    if deps.settings.queue == "cloud_tasks":
        return "Check the queues' names, and our account's role on them."
    if "answered 403" in str(exc):
        return "It has another PEGASUS_INTERNAL_SECRET or another PEGASUS_QUEUE_URL."
    return "Start it, or correct PEGASUS_QUEUE_URL."


def worker(deps: Deps, _today: date) -> Iterator[Finding]:
    """Tell whether the worker answers, and whether it has its database."""
    url = deps.settings.worker_url.rstrip("/")
    try:
        alive = ask(f"{url}/health")
        if alive.ok:
            alive = ask(f"{url}/health/ready")
    except OSError as exc:
        why = f"The worker at {url} does not answer: {reason(exc)}"
        yield Finding("problem", f"{why}. Start it, or correct PEGASUS_WORKER_URL.")
        return
    yield _of_worker(deps, url, alive)


def _of_worker(deps: Deps, url: str, answer: Answer) -> Finding:
    private = answer.status in _PRIVATE and deps.settings.identity == "google"
    if private:
        text = "is private, as it should be: only its callers can see its health"
        return Finding("note", f"The worker at {url} {text}.")
    if answer.ok and answer.document.get("status") == "ok":
        return Finding("ok", f"The worker at {url} answers, and can work.")
    if answer.document.get("status") == "degraded":
        return Finding("problem", f"The worker at {url} does not reach its database.")
    advice = "this is not our worker, or it fails: see its log"
    return Finding("problem", f"{url}/health answered {answer.status}: {advice}.")


def ring(deps: Deps, _today: date) -> Iterable[Finding]:
    """Ring at the worker for a job that does not exist, as the queue would."""
    given = deps.settings
    if given.identity != "secret":
        return
    url = given.worker_url.rstrip("/")
    token = internal_calls.sign(
        given.internal_secret, audience=url, caller=internal_calls.QUEUE
    )
    try:
        answer = ask(
            f"{url}/tasks/{uuid4()}", method="POST", token=token, document={"seq": 1}
        )
    except OSError:  # said by ``worker``
        return
    if answer.ok:
        yield Finding("ok", "The worker takes tasks that are signed with our secret.")
    elif answer.status == HTTPStatus.SERVICE_UNAVAILABLE:
        text = "The worker believes what we sign, but cannot work for now."
        yield Finding("note", text)
    elif answer.status in _PRIVATE:
        differs = "its PEGASUS_INTERNAL_SECRET or PEGASUS_WORKER_URL is not ours"
        yield Finding("problem", f"The worker refuses what we sign: {differs}.")
    else:
        text = f"The worker answered {answer.status} to a task: see its log."
        yield Finding("problem", text)


def api(deps: Deps, _today: date) -> Iterable[Finding]:
    """Tell what the API says of itself, where clients call it."""
    chosen = "public_url" in deps.settings.model_fields_set
    for finding in outside(deps.settings.public_url):
        if finding.level == "problem" and not chosen:
            guess = "If it is elsewhere, set PEGASUS_PUBLIC_URL or give --url."
            yield Finding("note", f"{finding.text} {guess}")
        else:
            yield finding


def outside(url: str) -> Iterator[Finding]:
    """Tell what an API says of itself; ``url`` is all that is known of it."""
    url = url.rstrip("/")
    try:
        answer = ask(f"{url}/health/ready")
    except OSError as exc:
        text = f"The API at {url} does not answer: {reason(exc)}."
        yield Finding("problem", f"{text} Start it, or correct the address.")
        return
    checks = answer.document.get("checks")
    if not isinstance(checks, dict):
        yield Finding("problem", _no_api(url, answer))
        return
    for name, check in checks.items():
        if isinstance(check, dict) and check.get("status") == "error":
            why = str(check.get("reason", "")).rstrip(".")
            yield Finding("problem", f"The API says of its {name}: {why}.")
    if answer.ok:
        yield Finding("ok", f"The API at {url} answers, and can work.")
    if not answer.headers.get("x-request-id"):
        text = "The API's answers have lost their x-request-id: a proxy drops it."
        yield Finding("note", text)


def _no_api(url: str, answer: Answer) -> str:
    said = f"{url}/health/ready answered {answer.status}"
    location = answer.headers.get("location")
    if location:
        return f"{said}: it sends us to another address; give that one."
    if answer.status in _PRIVATE:
        return f"{said}: it is private. Ask through gcloud run services proxy."
    return f"{said}: this is not Pegasus, or it fails. See its log."
