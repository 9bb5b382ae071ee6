import re

import pytest

from common.exports import srt, vtt
from common.exports.lines import columns
from common.exports.subtitles import cues, timestamp
from common.transcript import Segment
from tests.common import pack as packs

LONG = (
    "The proton gradient across the inner membrane drives the enzyme that joins ADP "
    "and phosphate, and this is where nearly all of the energy of the cell comes from."
)


def test_a_segment_becomes_a_subrip_block():
    reply = srt.from_segments([Segment(0, 1500, "hello"), Segment(2000, 3250, "you")])
    assert reply == (
        b"1\n00:00:00,000 --> 00:00:01,500\nhello\n\n"
        b"2\n00:00:02,000 --> 00:00:03,250\nyou\n"
    )


def test_a_segment_becomes_a_webvtt_cue():
    reply = vtt.from_segments([Segment(0, 1500, "hello"), Segment(2000, 3250, "you")])
    assert reply == (
        b"WEBVTT\n\n00:00:00.000 --> 00:00:01.500\nhello\n\n"
        b"00:00:02.000 --> 00:00:03.250\nyou\n"
    )


@pytest.mark.parametrize(("module", "empty"), [(srt, b""), (vtt, b"WEBVTT\n")])
def test_where_nobody_spoke_the_file_is_valid_and_empty(module, empty):
    assert module.render(packs.study_pack(segments=())) == empty
    assert module.from_segments([Segment(0, 900, " \n")]) == empty


def test_hours_may_have_three_digits():
    assert timestamp(123 * 3_600_000 + 61_007, ",") == "123:01:01,007"


def test_text_cannot_forge_a_subrip_cue():
    text = "a\n\n2\n00:00:09,000 --> 00:00:10,000\n<b>x {\\an8} 1 < 2"
    reply = srt.from_segments([Segment(0, 9000, text)]).decode()
    assert reply.count("-->") == 1
    assert "\n\n" not in reply
    assert "< b>x { \\an8} 1 < 2" in reply.replace("\n", " ")


def test_text_cannot_forge_a_webvtt_cue():
    reply = vtt.from_segments([Segment(0, 900, "a --> b\n\n<i>&c")]).decode()
    assert reply.endswith("\na --&gt; b &lt;i&gt;&amp;c\n")


def test_long_text_is_shared_out_in_two_short_lines_a_cue():
    shown = cues([Segment(1000, 11_000, LONG)])
    assert all(len(cue.lines) <= 2 for cue in shown)
    assert all(columns(line) <= 42 for cue in shown for line in cue.lines)
    assert " ".join(line for cue in shown for line in cue.lines) == LONG
    assert (shown[0].start_ms, shown[-1].end_ms) == (1000, 11_000)


def test_chinese_lines_are_half_as_many_signs():
    [cue] = cues([Segment(0, 5000, packs.CHINESE)])
    assert all(columns(line) <= 42 for line in cue.lines)
    assert "".join(cue.lines) == packs.CHINESE


def test_cues_are_in_order_apart_and_long_enough_to_be_seen():
    spoken = [Segment(5000, 5000, "c"), Segment(0, 4000, "a"), Segment(3000, 3100, "b")]
    shown = cues(spoken)
    assert [cue.lines for cue in shown] == [("a",), ("b",), ("c",)]
    assert [(c.start_ms, c.end_ms) for c in shown] == [
        (0, 3000),
        (3000, 3700),
        (5000, 5700),
    ]


def test_segments_at_the_same_moment_do_not_overlap():
    shown = cues([Segment(100, 100, str(i)) for i in range(20)])
    ends = [0, *(cue.end_ms for cue in shown)]
    assert all(c.start_ms >= e for c, e in zip(shown, ends, strict=False))


def test_pages_of_a_document_are_no_subtitles():
    assert cues([Segment(0, 0, "A page of text.", page=1)]) == []


def test_every_line_of_both_formats_is_within_its_cue():
    for module in (srt, vtt):
        reply = module.from_segments([Segment(0, 90_000, LONG)] * 2).decode()
        assert not re.search(r"\n{3,}", reply)
