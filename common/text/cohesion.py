"""Where one topic ends and the next begins, by the words that both sides share.

Source: Hearst, "TextTiling: segmenting text into multi-paragraph subtopic passages",
1997; with TF-IDF weights instead of counts.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

from common.text.ranking import Vector

_BLOCK = 5  # statements compared on either side
_SHORTEST = 4  # statements; less is no topic


def topics(rows: Sequence[Vector], count: int) -> list[range]:
    """Return at most ``count`` ranges of rows that together cover all, in order.

    The cuts are where the words change most. Fewer ranges come back when a topic
    would be shorter than four statements.
    """
    depths = _depths(_cohesion(rows))
    cuts: list[int] = []
    for cut in sorted(depths, key=lambda gap: (-depths[gap], gap)):
        if len(cuts) >= count - 1:
            break
        if all(abs(cut - other) >= _SHORTEST for other in cuts):
            cuts.append(cut)
    borders = [0, *sorted(cuts), len(rows)]
    return [range(a, b) for a, b in pairwise(borders) if b > a]


def _cohesion(rows: Sequence[Vector]) -> dict[int, float]:
    """Return by gap (before row i) how alike the blocks on both sides are."""
    return {
        gap: _alike(rows[max(0, gap - _BLOCK) : gap], rows[gap : gap + _BLOCK])
        for gap in range(_SHORTEST, len(rows) - _SHORTEST + 1)
    }


def _alike(before: Sequence[Vector], after: Sequence[Vector]) -> float:
    left, right = _sum(before), _sum(after)
    dot = sum(weight * right[stem] for stem, weight in left.items() if stem in right)
    return dot / ((_length(left) * _length(right)) or 1.0)


def _sum(rows: Sequence[Vector]) -> dict[str, float]:
    total: dict[str, float] = defaultdict(float)
    for row in rows:
        for stem, weight in row.items():
            total[stem] += weight
    return dict(total)


def _length(row: Vector) -> float:
    return math.sqrt(sum(weight * weight for weight in row.values()))


def _depths(cohesion: dict[int, float]) -> dict[int, float]:
    """Return how deep each gap lies below the nearest peaks on its two sides."""
    gaps = list(cohesion)
    values = list(cohesion.values())
    return {
        gap: _climb(values, i, -1) + _climb(values, i, 1) - 2 * values[i]
        for i, gap in enumerate(gaps)
    }


def _climb(values: Sequence[float], at: int, step: int) -> float:
    peak = values[at]
    at += step
    while 0 <= at < len(values) and values[at] >= peak:
        peak = values[at]
        at += step
    return peak
