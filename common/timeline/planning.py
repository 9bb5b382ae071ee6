"""From what is wanted and what is there to the plan: pure arithmetic."""

from collections.abc import Iterator, Sequence
from fractions import Fraction

from common.errors import InvalidInput
from common.timeline.plan import Bed, Film, Found, Mark, Plan, Shot, Span
from common.timeline.request import (
    MAX_SECONDS,
    Clip,
    Resolution,
    Template,
    Timeline,
    Watermark,
    bits,
)

_SIDES: dict[Resolution, int] = {"540p": 540, "720p": 720, "1080p": 1080}
_BITS = {540: 3_000_000, 720: 5_000_000, 1080: 8_000_000}  # at most; by the short side
_PROXY_BITS = 4_000_000
_SLOWEST, _FASTEST = Fraction(1), Fraction(60)
_USUAL_RATE = Fraction(25)  # of a file that does not say


def plan(timeline: Timeline, found: Sequence[Found]) -> Plan:
    """Return the plan for a timeline without its subtitles.

    Args:
        timeline: what is wanted.
        found: what is in the source of each clip.

    Raises:
        InvalidInput: a clip begins after its video ends, or all are too long.
    """
    rate = _rate(found)
    marks = _marks(timeline)
    spans = _spans(timeline, found, rate, marks)
    frames = spans[-1].end
    if frames / rate > MAX_SECONDS:
        raise InvalidInput(
            f"The timeline lasts {float(frames / rate):.0f} s; at most {MAX_SECONDS} s"
            " can be rendered.",
            code="timeline_too_long",
        )
    return Plan(
        rate=rate,
        frames=frames,
        spans=spans,
        films=_films(timeline, marks),
        marks=tuple(marks),
        shots=tuple(_shots(timeline, spans, rate)),
        bed=_bed(timeline),
    )


def _rate(found: Sequence[Found]) -> Fraction:
    """Return the highest rate of all sources, so that no picture is left out."""
    known = [f.rate.limit_denominator(1001) for f in found if f.rate > 0]
    return min(max(max(known, default=_USUAL_RATE), _SLOWEST), _FASTEST)


def _spans(
    timeline: Timeline, found: Sequence[Found], rate: Fraction, marks: list[Mark]
) -> tuple[Span, ...]:
    lengths = [
        _frames(number, clip, source, rate)
        for number, (clip, source) in enumerate(zip(timeline.clips, found, strict=True))
    ]
    leaves = _leaves(timeline.clips, lengths, rate)
    spans: list[Span] = []
    for number, clip in enumerate(timeline.clips):
        before = timeline.clips[number - 1].transition.type if number else "cut"
        blended = leaves[number - 1] if before == "crossfade" else 0
        own = clip.transition.type
        faded = leaves[number - 1] if before.startswith("fade_to_") else 0
        span = Span(
            clip=number,
            start=Fraction(clip.in_point).limit_denominator(1_000_000),
            first=spans[-1].end - blended if spans else 0,
            frames=lengths[number],
            sound=clip.include_audio and found[number].has_sound,
            blended=blended,
            fade_in=faded,
            fade_in_from="white" if before == "fade_to_white" else "black",
            fade_out=leaves[number] if own.startswith("fade_to_") else 0,
            fade_out_to="white" if own == "fade_to_white" else "black",
            mark=_number(clip.watermark or timeline.default_watermark, marks),
        )
        spans.append(span)
    return tuple(spans)


def _frames(number: int, clip: Clip, source: Found, rate: Fraction) -> int:
    if clip.in_point >= source.seconds:
        raise InvalidInput(
            f"Clip {number + 1} begins at {clip.in_point:g} s, but its video ends at"
            f" {float(source.seconds):.3f} s.",
            code="clip_outside_video",
        )
    end = source.seconds
    if clip.out_point is not None:
        end = min(end, Fraction(clip.out_point))
    return max(1, round((end - Fraction(clip.in_point)) * rate))


def _leaves(clips: Sequence[Clip], lengths: Sequence[int], rate: Fraction) -> list[int]:
    """Return how many frames each clip's transition takes of it and of the next.

    At most half of either, so that two transitions never meet. The last clip has
    nothing to be mixed with.
    """
    leaves = []
    for number, clip in enumerate(clips):
        around = lengths[number : number + 2]
        wanted = round(Fraction(clip.transition.duration) * rate)
        alone = number == len(clips) - 1
        if clip.transition.type == "cut" or (
            alone and clip.transition.type == "crossfade"
        ):
            wanted = 0
        leaves.append(min(wanted, min(around) // 2))
    return leaves


def _marks(timeline: Timeline) -> list[Mark]:
    """Return each watermark once: clips mostly have the same one."""
    wanted = [timeline.default_watermark, *(c.watermark for c in timeline.clips)]
    wanted += [t.watermark for t in templates(timeline)]
    marks: list[Mark] = []
    for found in wanted:
        if found is not None and _mark(found) not in marks:
            marks.append(_mark(found))
    return marks


def _mark(wanted: Watermark) -> Mark:
    return Mark(**wanted.model_dump())


def _number(wanted: Watermark | None, marks: list[Mark]) -> int | None:
    return None if wanted is None else marks.index(_mark(wanted))


def _films(timeline: Timeline, marks: list[Mark]) -> tuple[Film, ...]:
    width, height = size(timeline.resolution, timeline.aspect_ratio)
    small = size(timeline.proxy_resolution, timeline.aspect_ratio)
    return (
        Film(
            name="Timeline",
            category="processed",
            width=width,
            height=height,
            video_bits=_BITS[min(width, height)],
            audio_bits=192_000,
        ),
        Film(
            name="Timeline Proxy",
            category="proxy",
            width=small[0],
            height=small[1],
            video_bits=min(_PROXY_BITS, _BITS[min(small)]),
            audio_bits=128_000,
        ),
        *(_export(template, marks) for template in templates(timeline)),
    )


def _export(template: Template, marks: list[Mark]) -> Film:
    return Film(
        name=template.name,
        category="proxy" if template.proxy else "export",
        container=template.format,
        width=template.width // 2 * 2,
        height=template.height // 2 * 2,
        video_bits=bits(template.video_bitrate),
        audio_bits=bits(template.audio_bitrate),
        mark=_number(template.watermark, marks),
    )


def _shots(timeline: Timeline, spans: Sequence[Span], rate: Fraction) -> Iterator[Shot]:
    """Yield the first picture of the timeline, the middle of each clip and export."""
    if timeline.generate_thumbnails:
        yield Shot(name="first", film=0, frame=0, context="timeline")
        for span in spans:
            middle = span.frames // 2
            yield Shot(
                name=f"clip_{span.clip:03}",
                film=0,
                frame=span.first + middle,
                clip=span.clip,
                seconds=round(float(middle / rate), 3),
                context="clip",
            )
    middle = spans[-1].end // 2
    for number, template in enumerate(templates(timeline), 2):
        if template.generate_thumbnails:
            yield Shot(
                name="first",
                film=number,
                frame=middle,
                seconds=round(float(middle / rate), 3),
                context="export",
            )


def size(resolution: Resolution, aspect_ratio: str) -> tuple[int, int]:
    """Return width and height; the resolution names the shorter side."""
    side = _SIDES[resolution]
    longer = side * 16 // 9
    return {"16:9": (longer, side), "9:16": (side, longer)}.get(
        aspect_ratio, (side, side)
    )


def templates(timeline: Timeline) -> Sequence[Template]:
    """Return the templates asked for; the presets if the list is there and empty."""
    if timeline.export_templates is None or timeline.export_templates:
        return timeline.export_templates or []
    width, height = size("1080p", timeline.aspect_ratio)
    return [
        Template(
            name=name,
            width=width,
            height=height,
            aspect_ratio=timeline.aspect_ratio,
            video_bitrate=rate,
        )
        for name, rate in (
            ("YouTube Shorts", "12M"),
            ("TikTok", "10M"),
            ("Instagram Reels", "10M"),
        )
    ]


def _bed(timeline: Timeline) -> Bed | None:
    music = timeline.background_music
    if music is None:
        return None
    ducking = music.ducking
    if ducking is None or not ducking.enabled:
        return Bed(**music.model_dump(exclude={"track", "ducking"}))
    return Bed(
        **music.model_dump(exclude={"track", "ducking"}),
        threshold=ducking.threshold,
        ratio=ducking.ratio,
        attack_ms=ducking.attack,
        release_ms=ducking.release,
    )
