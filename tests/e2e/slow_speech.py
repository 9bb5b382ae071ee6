"""A speech service that keeps its callers waiting when it is told to."""

import threading
from collections import Counter
from hashlib import sha256

from tests.loopback.openai_server import OpenAIServer

_LONGEST_SECONDS = 60  # then a test has forgotten to release it


class SlowSpeech(OpenAIServer):
    """Counts what it is asked for, piece by piece."""

    def __init__(self) -> None:
        super().__init__()
        self._gate = threading.Event()
        self._gate.set()
        self._lock = threading.Lock()
        self._answers_left = 0

    def __exit__(self, *exc: object) -> None:
        self.release()
        super().__exit__(*exc)

    @property
    def pieces(self) -> list[str]:
        """What was asked for, in order."""
        return [sha256(one.file).hexdigest() for one in self.asked]

    @property
    def calls(self) -> Counter[str]:
        """How often each piece was asked for."""
        return Counter(self.pieces)

    def hold_after(self, answers: int) -> None:
        """Give so many answers; who asks then waits until ``release``."""
        with self._lock:
            self._answers_left = answers
            self._gate.clear()

    def release(self) -> None:
        """Answer everybody again."""
        self._gate.set()

    def answer(self, asked):
        with self._lock:  # so that those who are answered are those who came first
            reply = super().answer(asked)
            self._answers_left -= 1
            waits = self._answers_left < 0
        if waits:
            self._gate.wait(_LONGEST_SECONDS)
        return reply
