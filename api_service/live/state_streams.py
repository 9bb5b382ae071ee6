"""Streams of states: first how something stands, then what has changed, to its end.

States, not steps: the last one told is how it stands. So a client that was away misses
nothing that matters, and one that is slow is not kept waiting by what is old.
"""

import json
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from hashlib import sha256
from typing import Any

from flask import Response, request

from api_service.live.streams import sse

State = Mapping[str, Any]
States = Generator[State | None, None, None]

_COMMENT = ":\n\n"  # readers skip it


def tell(present: State, states: States, is_last: Callable[[State], bool]) -> Response:
    """Return the answer that tells states as Server-Sent Events without a name.

    Each has an id. A browser asks again when a stream has ended: who has seen the last
    state gets 204, which stops it, and who has seen the present one is told it only
    when it has changed.

    Args:
        present: how it stands.
        states: the same and all that follows, with None as a heartbeat.
        is_last: whether nothing follows a state.

    Raises:
        TooManyStreams: nothing was started.
    """
    seen = request.headers.get("Last-Event-ID")
    if is_last(present) and seen == _id(text(present)):
        return Response(status=204)
    return sse(_frames(until_last(states, is_last), seen))


def until_last(states: States, is_last: Callable[[State], bool]) -> States:
    """Yield states up to the last one."""
    with closing(states):
        for state in states:
            yield state
            if state is not None and is_last(state):
                return


def text(document: State) -> str:
    """Return a state as one line of JSON."""
    return json.dumps(document, ensure_ascii=False)


def _frames(states: States, seen: str | None) -> Iterator[str]:
    """Yield a frame for each state but the one that the client has seen."""
    with closing(states):
        for state in states:
            told = None if state is None else text(state)
            if told is None or _id(told) == seen:
                yield _COMMENT
            else:
                yield f"id: {_id(told)}\ndata: {told}\n\n"


def _id(told: str) -> str:
    """Return a name of a state: the same in every process, and after a restart."""
    return sha256(told.encode()).hexdigest()[:24]
