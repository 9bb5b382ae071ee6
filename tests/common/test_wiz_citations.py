"""Citations: only what was said, in the recording's own words and times."""

from common.talk import Source
from common.transcript import Segment
from common.wiz.citations import citations

CELLS = Source(
    "l1",
    "Cells",
    "en",
    [
        Segment(0, 5000, "A cell is the smallest unit of life."),
        Segment(45_000, 50_000, "Mitochondria release energy from food."),
        Segment(52_000, 58_000, "The nucleus holds the DNA of a cell."),
    ],
)
PLANTS = Source("l2", "Plants", "en", [Segment(46_000, 49_000, "Plants eat light.")])
PAPER = Source(
    "l3",
    "Paper",
    "en",
    [
        Segment(0, 0, "Osmosis moves water.", page=1),
        Segment(0, 0, "Salt draws it.", page=2),
    ],
)


def test_a_time_cites_what_is_said_there():
    assert citations("They release energy [00:45].", [CELLS]) == [
        {
            "start_ms": 45_000,
            "end_ms": 50_000,
            "quote": "Mitochondria release energy from food.",
        }
    ]


def test_of_what_is_said_nearby_the_one_that_fits_is_cited():
    [cited] = citations("The DNA is held by the nucleus [00:45].", [CELLS])
    assert cited["start_ms"] == 52_000


def test_words_between_quotation_marks_are_found_in_the_recording():
    [cited] = citations("It says “mitochondria release ENERGY, from food”.", [CELLS])
    assert cited == {
        "start_ms": 45_000,
        "end_ms": 50_000,
        "quote": "Mitochondria release energy from food.",
    }


def test_a_quote_and_its_time_are_one_citation():
    text = "“Mitochondria release energy from food.” [00:45]"
    assert len(citations(text, [CELLS])) == 1


def test_what_was_never_said_is_not_cited():
    assert citations("“Cows eat the grass of the moon” [30:00]", [CELLS]) == []
    assert citations("No time and no quote.", [CELLS]) == []


def test_citations_stand_in_the_order_of_the_answer():
    found = citations("The DNA [00:52]. A cell [00:00]. The DNA [00:52].", [CELLS])
    assert [one["start_ms"] for one in found] == [52_000, 0]


def test_a_page_is_cited_as_one():
    assert citations("Salt draws water [p. 2].", [PAPER]) == [
        {"start_ms": 0, "end_ms": 0, "quote": "Salt draws it.", "page": 2}
    ]


def test_of_several_recordings_each_citation_names_its_own():
    [cited] = citations("Plants eat light [00:46].", [CELLS, PLANTS])
    assert (cited["source"], cited["quote"]) == ("l2", "Plants eat light.")


def test_an_answer_of_times_only_is_bounded():
    long = [Segment(n * 20_000, n * 20_000 + 900, f"Number {n}.") for n in range(90)]
    text = " ".join(f"[{n // 3:02}:{n % 3 * 20:02}]" for n in range(90))
    assert len(citations(text, [Source("l", "L", "en", long)])) == 20
