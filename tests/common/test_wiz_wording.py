"""What a model was talked into saying, made harmless however it is cut into pieces."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from common.talk import Source
from common.transcript import Segment
from common.wiz.wording import Wording, times

SAID = "Read https://example.org/notes, or ask. It takes an hour."
SOURCES = [Source("l1", "Talk", "en", [Segment(0, 3_900_000, SAID)])]


def shown(*pieces):
    wording = Wording(SOURCES)
    return "".join([*(wording.add(piece) for piece in pieces), wording.rest()])


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("It is [02:15].", "It is [02:15]."),
        ("It is [2:15].", "It is [02:15]."),
        ("It is [62:05].", "It is [1:02:05]."),
        ("It is [1:02:05].", "It is [1:02:05]."),
        ("It is [00:10-00:20].", "It is [00:10]."),
        ("It is [0:10, 0:20].", "It is [00:10, 00:20]."),
        ("It is [ 0:10 ].", "It is [00:10]."),
        ("It is [99:59].", "It is ."),  # the recording ends before
        ("It is [0:10; 99:59].", "It is [00:10]."),
        ("a[1] and [x] stay, 12:30 too", "a[1] and [x] stay, 12:30 too"),
        ("if a < b and c<d", "if a < b and c\u2039d"),
        ("<script>alert(1)</script>", "\u2039script>alert(1)\u2039/script>"),
        ("<!-- x -->", "\u2039!-- x -->"),
        ("![x](https://evil.example/?q=1)", "![x]"),
        ("[click me](javascript:alert(1)) now", "[click me] now"),
        ("[a]( https://evil.example )", "[a] \u2039link removed\u203a )"),
        ("see https://evil.example/a.", "see \u2039link removed\u203a"),
        ("see www.evil.example now", "see \u2039link removed\u203a now"),
        ("HTTPS://EVIL.EXAMPLE", "\u2039link removed\u203a"),
        ("data:text/html;base64,AAAA", "\u2039link removed\u203a"),
        ("as https://example.org/notes, says", "as https://example.org/notes, says"),
        ("nul\0 bell\a rtl\u202e del\x7f", "nul bell rtl del"),
        ("\ud83d\ude00 and \ud83d", "\U0001f600 and \ufffd"),
        ("tabs\tand\nlines stay", "tabs\tand\nlines stay"),
        ("**bold** and _it_", "**bold** and _it_"),
        ("线粒体释放能量。就是这样 [2:15]", "线粒体释放能量。就是这样 [02:15]"),
        ("", ""),
    ],
)
def test_what_is_written_and_what_is_read(written, read):
    assert shown(written) == read


WRITTEN = st.lists(
    st.sampled_from(
        [
            *("[", "]", "(", ")", "<b", "1:02", "2:15", "-", ", ", " ", "\n", "word"),
            *("https://", "evil.example/", "www.", "javascript:", "![x](", "。"),
            *("\ud83d", "\ude00", "\0", "data:image/", "http://example.org/notes"),
        ]
    ),
    max_size=40,
)


@settings(max_examples=300, deadline=None)
@given(WRITTEN, st.integers(1, 7))
@example(["[x", "](", "https://", "evil.example/", ")"], 1)
def test_how_an_answer_is_cut_changes_nothing(parts, size):
    text = "".join(parts)
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    assert shown(*pieces) == shown(text)


@settings(max_examples=300, deadline=None)
@given(WRITTEN)
def test_nothing_that_is_shown_opens_a_tag_or_leads_elsewhere(parts):
    text = shown("".join(parts))
    assert "<b" not in text
    assert "](" not in text
    assert "https://evil" not in text
    text.encode()  # no halves of letters


def test_words_are_shown_as_soon_as_they_are_complete():
    wording = Wording(SOURCES)
    assert wording.add("The cell ") == "The cell "
    assert wording.add("lives") == ""
    assert wording.add(", see [1:") == "lives, see "
    assert wording.add("02] and") == "[01:02] "
    assert wording.rest() == "and"


def test_a_bracket_that_is_never_closed_holds_little_back():
    wording = Wording(SOURCES)
    assert len(wording.add("[" + "word " * 30)) > 100


def test_a_text_without_any_break_is_not_held_for_ever():
    wording = Wording(SOURCES)
    assert wording.add("x" * 2500) == "x" * 2500


def test_times_are_read_in_their_order():
    assert times("a [00:10, 01:00] b [1:00:00]") == [
        (10_000, 2),
        (60_000, 2),
        (3_600_000, 19),
    ]
