"""A speech recogniser and a language model that fail, dawdle, and keep count."""

import io
import random
import re
import threading
import time
from collections import Counter
from dataclasses import dataclass
from hashlib import sha256

import av
import numpy as np

from tests.loopback.openai_server import (
    Answer,
    Asked,
    OpenAIServer,
    part,
    problem,
    said,
    verbose,
)

QUOTE = "the storm says that the cell is alive"
_LOUD = 6000.0  # root mean square of samples; louder than this is poison
_QUICK_SECONDS = (0.05, 0.4)
_SLOW_SECONDS = (1.0, 5.0)  # up to more than a lease

_DRAFT = {
    "summary": {
        "overview": "About cells.",
        "sections": [
            {
                "title": "Cells",
                "bullets": ["They live."],
                "citations": [{"quote": QUOTE}],
            }
        ],
    },
    "outline": [
        {
            "title": "Cells",
            "points": None,
            "children": None,
            "citations": [{"quote": QUOTE}],
        }
    ],
    "key_terms": [
        {
            "term": "Cell",
            "definition": "It lives.",
            "example": None,
            "citations": [{"quote": QUOTE}],
        }
    ],
    "flashcards": [
        {
            "front": "Cell?",
            "back": "Alive.",
            "tags": None,
            "citations": [{"quote": QUOTE}],
        }
    ],
    "exam_questions": [
        {
            "prompt": "Alive?",
            "type": "short-answer",
            "answer": "Yes.",
            "citations": [{"quote": QUOTE}],
        }
    ],
    "concepts": [],
    "concept_updates": [],
}


@dataclass(frozen=True)
class Call:
    """One request: ``subject`` is the sound's SHA-256 or the lecture's title."""

    at: float
    subject: str
    poison: bool
    outcome: str


class Provider(OpenAIServer):
    """Both vendors in one. ``trouble`` is the share of requests that go wrong."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.trouble = 0.0
        self.calls: list[Call] = []
        self._random = random.Random(f"provider {seed}")
        self._lock = threading.Lock()

    @property
    def answered(self) -> Counter[str]:
        """How often each subject was answered in full: what a vendor would bill."""
        return Counter(one.subject for one in self.calls if one.outcome == "answered")

    @property
    def outcomes(self) -> Counter[str]:
        return Counter(one.outcome for one in self.calls)

    def answer(self, asked: Asked) -> Answer:
        subject, poison, good = _understood(asked)
        outcome, pause = self._drawn()
        time.sleep(pause)
        self.calls.append(Call(time.time(), subject, poison, outcome))
        return good if outcome == "answered" else _bad(outcome, good)

    def _drawn(self) -> tuple[str, float]:
        kinds = ("429", "429", "500", "503", "half", "half JSON", "page", "reset")
        with self._lock:
            if self._random.random() < self.trouble:
                return self._random.choice(kinds), self._random.uniform(*_QUICK_SECONDS)
            slow = self._random.random() < self.trouble / 2
            span = _SLOW_SECONDS if slow else _QUICK_SECONDS
            return "answered", self._random.uniform(*span)


def _bad(outcome: str, good: Answer) -> Answer:
    half = len(good.content) // 2
    return {
        "429": problem(429, "Rate limit reached.", "rate_limit", Retry_After="1"),
        "500": problem(500, "On order."),
        "503": problem(503, "On order."),
        "half": Answer(good.content, cut=half),
        "half JSON": Answer(good.content[:half]),
        "page": Answer(b"<html>502</html>", 502, content_type="text/html"),
        "reset": Answer(reset=True),
    }[outcome]


def _understood(asked: Asked) -> tuple[str, bool, Answer]:
    if asked.path.endswith("/chat/completions"):
        text = " ".join(str(m["content"]) for m in asked.fields["messages"])
        found = re.search(r"storm-\d+-\w+", text)
        return found[0] if found else "", False, said(_DRAFT)
    samples = _samples(asked.file)
    name = sha256(samples.tobytes()).hexdigest()
    loud = float(np.sqrt(np.mean(samples.astype(np.float64) ** 2))) > _LOUD
    words = "poison" if loud else f"{QUOTE} in {name[:12]}"
    seconds = len(samples) / 16_000
    return name, loud, verbose(part(0, seconds, words), seconds=seconds)


def _samples(flac: bytes) -> "np.ndarray[tuple[int], np.dtype[np.int16]]":
    """Return the sound as the pieces' SHA-256 is taken of it."""
    with av.open(io.BytesIO(flac), "r", format="flac") as container:
        blocks = [frame.to_ndarray().ravel() for frame in container.decode(audio=0)]
    if not blocks:
        raise ConnectionAbortedError("who asked was killed while it did")
    return np.concatenate(blocks).astype("<i2")
