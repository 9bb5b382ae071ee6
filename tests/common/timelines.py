"""Timelines rendered without a database: files in, one decoded film out.

The work that a child process does in production is done here in the test's own, which
spares each test the start of an interpreter; ``test_timeline_studio`` uses real ones.
"""

import io
from itertools import pairwise
from uuid import uuid4

from common.timeline import labour
from common.timeline.orders import Join, Look, Part
from common.timeline.plan import Line
from common.timeline.planning import plan
from common.timeline.request import Timeline
from tests.film_samples import Result


def timeline(*clips, **fields):
    """Return a small timeline; each clip is a dict of its fields."""
    return Timeline.model_validate(
        {
            "clips": [{"asset_id": str(uuid4()), **clip} for clip in clips],
            "resolution": "540p",
            "proxy_resolution": "540p",
            "generate_thumbnails": False,
            **fields,
        }
    )


def planned(wanted, files, *, small=True, **changes):
    """Return the plan of a timeline; its first film alone, and small, unless told."""
    made = plan(wanted, [look(file) for file in files])
    if small:
        first = made.films[0]
        size = {"width": first.width // 6, "height": first.height // 6}
        changes = {"films": (first.model_copy(update=size),), **changes}
    return made.model_copy(update=changes)


def look(file):
    """Return what is found in one file."""
    [said] = labour.done(Look(), [file], [])
    assert said.refused is None, said
    return said.found[0]


def rendered(made, files, *, marks=(), music=None, film=0, cuts=()):
    """Return one film of a plan, decoded.

    ``cuts`` are frames at which a new part begins.
    """
    parts = []
    borders = [0, *cuts, made.frames]
    for first, end in pairwise(borders):
        written = [io.BytesIO() for _ in made.films]
        spans = [s.clip for s in made.spans if s.first < end and s.end > first]
        order = Part(plan=made, first=first, end=end, clips=spans, threads=1)
        given = [*(_copy(files[n]) for n in spans), *map(_copy, marks)]
        _do(order, given, written)
        parts.append(written[film])
    heard = [s.clip for s in made.spans if s.sound]
    joined = Join(plan=made, film=film, parts=len(parts), clips=heard)
    given = [*parts, *(_copy(files[n]) for n in heard), *([music] if music else [])]
    output = io.BytesIO()
    _do(joined, given, [output])
    return Result(output.getvalue())


def film(wanted, files, **options):
    """Return the first film of a timeline, decoded."""
    return rendered(planned(wanted, files), files, **options)


def line(start_ms, end_ms, text, **look):
    return Line(start_ms=start_ms, end_ms=end_ms, text=text, **look)


def _do(order, files, written):
    *_, last = labour.done(order, files, written)
    assert last.done, last


def _copy(file):
    return io.BytesIO(file.getvalue())
