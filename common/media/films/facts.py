"""What is known of a film."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Sound:
    """The sound of a film, as its headers say."""

    codec: str
    channels: int
    sample_rate: int


@dataclass(frozen=True, slots=True)
class Film:
    """What is in a film. ``seconds`` reaches to the end of its last packet.

    ``container`` is a name as in ``common.media.formats``; width and height are those
    of the picture as it is stored: a phone's may be shown turned.
    """

    container: str
    seconds: float
    width: int
    height: int
    codec: str
    fps: float
    bitrate: int
    sound: Sound | None

    def shown(self, size_bytes: int) -> dict[str, Any]:
        """Return it as clients know it."""
        about: dict[str, Any] = {
            "duration": self.seconds,
            "width": self.width,
            "height": self.height,
            "codec": self.codec,
            "fps": self.fps,
            "bitrate": self.bitrate,
            "size_bytes": size_bytes,
            "has_audio": self.sound is not None,
        }
        if self.sound is not None:
            about |= {
                "audio_codec": self.sound.codec,
                "audio_channels": self.sound.channels,
                "audio_sample_rate": self.sound.sample_rate,
            }
        return about

    @property
    def plays_everywhere(self) -> bool:
        """Whether any browser plays it, over any line: no copy for previews needed."""
        heard = self.sound is None or self.sound.codec == "aac"
        small = min(self.width, self.height) <= PREVIEW_SIDE
        light = self.bitrate <= PREVIEW_BITS
        return (
            self.container == "mp4"
            and self.codec == "h264"
            and heard
            and small
            and light
        )


PREVIEW_SIDE = 360  # pixels of the shorter side
PREVIEW_BITS = 1_000_000  # a second: what a phone has on a train
