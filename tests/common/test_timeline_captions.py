"""Subtitle files to lines of a film."""

from fractions import Fraction

import pytest

from common.errors import InvalidInput
from common.timeline.captions import cut_out, lines, parse
from common.timeline.plan import Found
from common.timeline.planning import plan
from common.timeline.request import Subtitles, read
from common.transcript import Segment

SRT = """1
00:00:01,000 --> 00:00:02,500
<i>Hello</i> {\\an8}world

2
00:01:00,000 --> 00:01:02,000
Second
line
"""
VTT = """WEBVTT - a title

NOTE this is 00:00 no cue

intro
00:01.000 --> 00:02.500 align:start position:10%
<v Ann>Hello</v> world

01:00:00.000 --> 01:00:02.000
Later
"""


def made(*seconds):
    clips = [{"asset_id": "0" * 32} for _ in seconds]
    sources = [Found(seconds=Fraction(s), rate=Fraction(10)) for s in seconds]
    return plan(read({"clips": clips}), sources)


def test_srt_is_read():
    assert parse(SRT.encode()) == [
        Segment(1000, 2500, "Hello world"),
        Segment(60_000, 62_000, "Second line"),
    ]


def test_webvtt_is_read():
    assert parse(VTT.encode()) == [
        Segment(1000, 2500, "Hello world"),
        Segment(3_600_000, 3_602_000, "Later"),
    ]


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Grüße", "utf-8"),
        ("Grüße", "cp1252"),
        ("مرحبا", "utf-16"),
        ("Привет", "windows-1251"),
        ("你好", "gb18030"),
    ],
)
def test_any_usual_encoding_is_read(text, encoding):
    content = f"1\r\n00:00:00,000 --> 00:00:01,000\r\n{text}\r\n".encode(encoding)

    assert [s.text for s in parse(content, encoding)] == [text]


def test_a_byte_order_mark_is_no_text():
    content = "\ufeff00:00:00,000 --> 00:00:01,000\nHi".encode()

    assert [s.text for s in parse(content)] == ["Hi"]


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (b"", "utf-8"),
        (b"root:x:0:0:root:/root:/bin/sh\n", "utf-8"),
        (b"\xff\xfe\xff", "utf-8"),
        (SRT.encode(), "rot13"),
        (SRT.encode(), "zlib"),
        (SRT.encode(), "punycode"),
        (SRT.encode(), "utf-7"),
        (SRT.encode(), "unicode_escape"),
    ],
)
def test_what_is_no_subtitle_file_is_refused(content, encoding):
    with pytest.raises(InvalidInput) as refused:
        parse(content, encoding)

    assert refused.value.code == "subtitles_unreadable"


def test_lines_of_a_clip_begin_with_the_clip_and_end_with_it():
    plan_ = made(4, 3)
    said = [Segment(500, 1500, "one"), Segment(2500, 9000, "two")]
    wanted = Subtitles(path="x")

    shown = list(lines(plan_, said, wanted, span=1))

    assert [(n.start_ms, n.end_ms, n.text) for n in shown] == [
        (4500, 5500, "one"),
        (6500, 7000, "two"),
    ]


def test_what_is_said_outside_a_clip_is_cut_off():
    said = [Segment(0, 900, "a"), Segment(500, 1500, "b"), Segment(2500, 2900, "c")]

    cut = cut_out(said, start_ms=1000, end_ms=2000)

    assert cut == [Segment(0, 500, "b")]


def test_a_style_says_size_place_and_colour():
    look = Subtitles(
        path="x",
        force_style="FontSize=24,Alignment=8,PrimaryColour=&H000000FF,Outline=9",
    )

    [line] = lines(made(2), [Segment(0, 1000, "x")], look, span=None)

    assert (line.size, line.top, line.colour) == (24, True, (255, 0, 0))


def test_a_style_that_makes_no_sense_changes_nothing():
    look = Subtitles(path="x", force_style="FontSize=9999,Alignment=,PrimaryColour=red")

    [line] = lines(made(2), [Segment(0, 1000, "x")], look, span=None)

    assert (line.size, line.top, line.colour) == (None, False, (255, 255, 255))
