"""What the child process is told to do, and what it says."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from common.timeline.plan import Found, Plan, Shot

# Seconds of processor time for one order; a part takes some 30 on the slowest machine.
CPU_SECONDS = 900


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Look(_Value):
    """Say what is in each input."""

    do: Literal["look"] = "look"


class Part(_Value):
    """Render the frames [first, end) of all films; one output each, then pictures.

    Inputs are the files of ``clips`` (numbers of clips), then those of all watermarks.
    ``shots`` are pictures that are also wanted as JPEG.
    """

    do: Literal["part"] = "part"
    plan: Plan
    first: int
    end: int
    clips: tuple[int, ...]
    shots: tuple[Shot, ...] = ()
    threads: int


class Join(_Value):
    """Make one film; the output is that.

    Inputs are its parts, then the files of ``clips``, then the music if there is any.
    """

    do: Literal["join"] = "join"
    plan: Plan
    film: int
    parts: int
    clips: tuple[int, ...] = ()


class Order(_Value):
    """One of them."""

    order: Annotated[Look | Part | Join, Field(discriminator="do")]


class Refusal(_Value):
    """Why it cannot be done, whoever does it."""

    code: str
    message: str


class Said(_Value):
    """A line of the child's: how far it is, or how it ended."""

    frames: int | None = None
    done: bool = False
    found: tuple[Found, ...] = ()
    about: dict[str, Any] | None = None  # of a film that was made
    refused: Refusal | None = None
