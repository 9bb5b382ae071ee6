"""What is known of a file before it is decoded."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Facts:
    """What the headers of a file say.

    ``container`` and ``codec`` are names as in ``common.media.formats``.
    ``declared_ms`` is a claim, and a guess in some containers: count what
    ``decode`` gives instead. ``has_video`` is False for cover images.
    """

    container: str
    codec: str
    sample_rate: int
    channels: int
    declared_ms: int | None
    has_video: bool
