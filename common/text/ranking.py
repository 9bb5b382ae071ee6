"""Which statements matter: TF-IDF vectors, TextRank on a sparse graph, and MMR.

Source: Mihalcea and Tarau, "TextRank", 2004; Carbonell and Goldstein, "The use of MMR",
1998.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence

Vector = Mapping[str, float]

_MOST_POSTINGS = 80  # a word in more statements links everything: cost without gain
_NEIGHBOURS = 12  # links kept per statement; keeps three hours linear
_DAMPING = 0.85  # as in PageRank
_ROUNDS = 25  # changes are below 1 % by then
_DIVERSITY = 0.4  # weight of being unlike what is chosen


def vectors(rows: Sequence[Sequence[str]]) -> tuple[Vector, ...]:
    """Return one TF-IDF vector of length 1 (or 0, if empty) per row of stems."""
    spread = Counter(stem for row in rows for stem in set(row))
    return tuple(_unit(row, spread, len(rows)) for row in rows)


def _unit(row: Sequence[str], spread: Mapping[str, int], total: int) -> Vector:
    weights = {
        stem: (1 + math.log(n)) * math.log((total + 1) / (spread[stem] + 0.5))
        for stem, n in Counter(row).items()
    }
    length = math.sqrt(sum(w * w for w in weights.values())) or 1.0
    return {stem: weight / length for stem, weight in weights.items()}


def similarity(one: Vector, other: Vector) -> float:
    """Return the cosine of two vectors of length 1."""
    if len(one) > len(other):
        one, other = other, one
    return sum(weight * other[stem] for stem, weight in one.items() if stem in other)


def text_rank(rows: Sequence[Vector]) -> list[float]:
    """Return how central each row is, the most central one 1.0.

    Only each row's nearest neighbours are linked, found through an inverted index.
    """
    links = _links(rows)
    out = [sum(row.values()) or 1.0 for row in links]
    ranks = [1.0] * len(rows)
    for _ in range(_ROUNDS):
        ranks = [
            1 - _DAMPING + _DAMPING * sum(ranks[j] * w / out[j] for j, w in row.items())
            for row in links
        ]
    most = max(ranks, default=1.0)
    return [rank / most for rank in ranks]


def _links(rows: Sequence[Vector]) -> list[dict[int, float]]:
    postings: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for index, row in enumerate(rows):
        for stem, weight in row.items():
            postings[stem].append((index, weight))
    links: list[dict[int, float]] = [{} for _ in rows]
    for index, row in enumerate(rows):
        for other, weight in _nearest(index, row, postings):
            links[index][other] = weight
            links[other][index] = weight
    return links


def _nearest(
    index: int, row: Vector, postings: Mapping[str, Sequence[tuple[int, float]]]
) -> list[tuple[int, float]]:
    near: dict[int, float] = defaultdict(float)
    for stem, weight in row.items():
        if len(postings[stem]) <= _MOST_POSTINGS:
            for other, theirs in postings[stem]:
                near[other] += weight * theirs
    near.pop(index, None)
    return sorted(near.items(), key=lambda pair: (-pair[1], pair[0]))[:_NEIGHBOURS]


def diverse(
    candidates: Sequence[int],
    score: Callable[[int], float],
    rows: Sequence[Vector],
    count: int,
) -> list[int]:
    """Return ``count`` candidates that score high and do not repeat each other.

    Best first; a candidate that nearly repeats a chosen one is never taken.
    """
    alike = dict.fromkeys(candidates, 0.0)
    values = {index: score(index) for index in candidates}
    chosen: list[int] = []
    while alike and len(chosen) < count:
        best = max(alike, key=lambda i: (values[i] - _DIVERSITY * alike[i], -i))
        del alike[best]
        chosen.append(best)
        for index in list(alike):
            alike[index] = max(alike[index], similarity(rows[best], rows[index]))
            if alike[index] > 0.75:  # noqa: PLR2004 - three words of four are the same
                del alike[index]
    return chosen
