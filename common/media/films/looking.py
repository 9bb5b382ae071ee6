"""The facts about a film, some of which its headers only claim."""

from fractions import Fraction
from typing import BinaryIO

import av
from av.container import InputContainer

from common.errors import UnreadableMedia
from common.media import formats
from common.media.films.facts import Film, Sound
from common.media.films.opening import opened, picture_of, sound_of

MAX_SECONDS = 12 * 3600  # as of a lecture; bounds the work a small file can cause

_TAIL_SECONDS = 10  # before the end that a header claims; frames are seldom longer
_SLACK_SECONDS = 2  # a header may round


def look(file: BinaryIO) -> Film:
    """Return what is in a film. Its end is looked for, not its header believed.

    Raises:
        UnreadableMedia: with a code that says why.
    """
    with opened(file) as media:
        picture, sound = picture_of(media), sound_of(media)
        context = picture.codec_context
        rate = picture.average_rate or picture.guessed_rate or Fraction(0)
        seconds = _seconds(media)
        return Film(
            container=formats.CONTAINERS[media.format.name],
            seconds=round(float(seconds), 3),
            width=context.width,
            height=context.height,
            codec=context.name,
            fps=round(float(rate), 3),
            bitrate=media.bit_rate or round(file.seek(0, 2) * 8 / seconds),
            sound=None
            if sound is None
            else Sound(
                codec=sound.codec_context.name,
                channels=sound.codec_context.layout.nb_channels,
                sample_rate=sound.codec_context.sample_rate,
            ),
        )


def _seconds(media: InputContainer) -> Fraction:
    """Return where the last packet ends, from where the first one begins."""
    origin = Fraction(max(0, media.start_time or 0), av.time_base)
    claimed = Fraction(media.duration or 0, av.time_base)
    if claimed > MAX_SECONDS:
        raise UnreadableMedia(
            f"The film is longer than {MAX_SECONDS // 3600} hours.",
            code="media_too_long",
        )
    if claimed > _TAIL_SECONDS:
        media.seek(int((origin + claimed - _TAIL_SECONDS) * av.time_base))
    end = Fraction(0)
    for packet in media.demux():
        if packet.pts is not None:
            stop = (packet.pts + (packet.duration or 0)) * packet.time_base - origin
            end = max(end, stop)
    if end <= 0:
        raise UnreadableMedia("The film is empty.", code="media_empty")
    if end < claimed * Fraction(9, 10) - _SLACK_SECONDS:
        raise UnreadableMedia(
            f"The film is cut short: it should last {float(claimed):.0f} s, but ends"
            f" after {float(end):.0f} s. Upload the complete file.",
            code="media_truncated",
        )
    return end
