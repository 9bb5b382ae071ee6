"""Rendering as the worker sees it: orders to a child process, files in and out.

The child may die of what it is given: of a damaged file, of too little memory, of time.
"""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, BinaryIO

from pydantic import ValidationError

from common import sandbox
from common.errors import InvalidInput, Unavailable
from common.timeline.orders import Join, Look, Order, Part, Said
from common.timeline.plan import Found

_SECONDS = 240  # for one order: a request to the worker has ten minutes


@dataclass(frozen=True, slots=True)
class Studio:
    """Has work done in a child process.

    Args:
        watch: called several times a second with the number of frames that are done;
            what it raises ends the child at once.
    """

    watch: Callable[[int], None]

    def look(self, files: Sequence[BinaryIO]) -> tuple[Found, ...]:
        """Return what is in each file.

        Raises:
            InvalidInput: one of them cannot be used, ever.
            Unavailable: the child did not end well; it may another time.
        """
        return self._done(Look(), files, ()).found

    def render(
        self, part: Part, files: Sequence[BinaryIO], outputs: Sequence[BinaryIO]
    ) -> None:
        """Write the films and pictures of a part. Raises as ``look`` does."""
        self._done(part, files, outputs)

    def join(
        self, join: Join, files: Sequence[BinaryIO], output: BinaryIO
    ) -> dict[str, Any]:
        """Write a film of its parts; return its metadata. Raises as ``look`` does."""
        return self._done(join, files, (output,)).about or {}

    def _done(
        self,
        order: Look | Part | Join,
        files: Sequence[BinaryIO],
        outputs: Sequence[BinaryIO],
    ) -> Said:
        last = Said()
        try:
            talk = sandbox.talk(
                "common.timeline",
                order=Order(order=order).model_dump_json().encode(),
                inputs=files,
                outputs=outputs,
                timeout_seconds=_SECONDS,
            )
            with closing(talk) as lines:
                for line in lines:
                    last = last if line is None else Said.model_validate_json(line)
                    self.watch(last.frames or 0)
        except TimeoutError:
            raise Unavailable(
                "Rendering took too long.", code="render_timeout"
            ) from None
        except ValidationError:
            last = Said()
        if last.refused is not None:
            raise InvalidInput(last.refused.message, code=last.refused.code)
        if not last.done:
            raise Unavailable("Rendering ended unexpectedly.", code="render_broken")
        return last
