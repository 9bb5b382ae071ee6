import pytest

from common.sentences import cut_loops, sentences
from common.transcript import LOW_CONFIDENCE, REPETITION, Segment, Word


def said(text, *, confidence=0.9, word_ms=200):
    """Words of 200 ms, one after the other; ``_500`` is a pause of 500 ms."""
    words, now = [], 0
    for token in text.split():
        if token.startswith("_"):
            now += int(token[1:])
        else:
            words.append(Word(now, now + word_ms, token, confidence))
            now += word_ms
    return words


def texts(words):
    return [segment.text for segment in sentences(words)]


def lines(*all_texts):
    return [Segment(n * 1000, n * 1000 + 900, t) for n, t in enumerate(all_texts)]


def test_nothing_said_gives_no_segments():
    assert sentences([]) == ()


def test_a_pause_ends_a_sentence():
    words = said("the cell is small _500 it can divide twice _120 a day")
    assert texts(words) == ["The cell is small.", "It can divide twice a day."]


def test_times_are_those_of_the_first_and_last_word():
    [first, second] = sentences(said("_70 one two three four _500 five six seven ten"))
    assert (first.start_ms, first.end_ms) == (70, 870)
    assert (second.start_ms, second.end_ms) == (1370, 2170)


def test_a_slow_speaker_is_not_cut_at_every_breath():
    phrase = "we look at cells _350 and at all proteins _1000"
    assert len(texts(said(f"{phrase} {phrase} {phrase}"))) == 3


def test_a_fast_speaker_is_cut_at_short_pauses():
    phrase = "we look at cells here _280"
    assert len(texts(said(" ".join([phrase] * 6)))) == 6


def test_a_scrap_joins_the_neighbour_it_is_nearest_to():
    words = said(
        "this is the end _700 first _350 a cell eats it _500 then it divides on"
    )
    assert texts(words)[:2] == ["This is the end.", "First a cell eats it."]


def test_a_scrap_far_from_all_others_stands_alone():
    words = said("welcome _2000 today we ask a question")
    assert texts(words) == ["Welcome.", "Today we ask a question."]


def test_a_scrap_never_makes_a_sentence_too_long():
    words = said(" ".join(["word"] * 30) + " _400 yes")
    assert [len(text.split()) for text in texts(words)] == [30, 1]


def test_a_long_stretch_is_split_at_its_longest_pause():
    words = said(" ".join(["a"] * 12) + " _90 " + " ".join(["b"] * 25))
    assert [len(text.split()) for text in texts(words)] == [12, 25]


def test_a_long_stretch_without_pauses_is_split_in_halves():
    assert [len(t.split()) for t in texts(said("word " * 100))] == [25] * 4


def test_the_speaker_is_written_with_a_capital():
    assert texts(said("what i mean and i'm sure")) == ["What I mean and I'm sure."]


def test_marks_of_the_recogniser_are_dropped():
    words = said("<sil> the [NOISE] cell ++UH++ is - small </s>")
    assert texts(words) == ["The cell is small."]


def test_only_marks_give_no_segments():
    assert sentences(said("<s> [NOISE] ++UM++ </s>")) == ()


def test_punctuated_words_are_cut_after_full_stops_only():
    words = said('He said: "Go. _20 Now!" _900 and _900 I went.')
    assert texts(words) == ['He said: "Go.', 'Now!"', "And I went."]


def test_abbreviations_do_not_end_a_sentence():
    words = said("Dr. Hill of the U.S. spoke. Thanks, e.g. to her.")
    assert texts(words) == ["Dr. Hill of the U.S. spoke.", "Thanks, e.g. to her."]


def test_an_abbreviation_alone_is_not_punctuation():
    assert texts(said("so dr. hill came in")) == ["So dr. hill came in."]


def test_a_word_that_ends_with_a_dot_gets_no_second_one():
    assert texts(said("we call it vitamin c.")) == ["We call it vitamin c."]


def test_a_long_punctuated_sentence_is_split_after_a_comma():
    words = said(
        "word " * 20 + "here, _10 " + "word " * 10 + "_80 " + "word " * 8 + "end."
    )
    first, second = texts(words)
    assert first.endswith("here,")
    assert second.endswith("end.")


def test_what_stands_after_the_last_full_stop_is_kept():
    assert texts(said("All is said. and yet")) == ["All is said.", "And yet"]


def test_confidence_is_the_mean_of_the_words():
    words = [Word(0, 100, "one", 0.5), Word(100, 200, "two", 0.9), Word(200, 300, "x")]
    assert sentences(words)[0].confidence == pytest.approx(0.7)


@pytest.mark.parametrize(
    ("confidence", "flags"),
    [(0.59, (LOW_CONFIDENCE,)), (0.6, ()), (None, ())],
)
def test_doubtful_sentences_are_flagged(confidence, flags):
    [segment] = sentences(said("one two three four", confidence=confidence))
    assert segment.flags == flags


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("So thank you. Thank you. Thank you. Thank you.", "So thank you."),
        ("the cell " * 9 + "divides", "the cell divides"),
        ("no no no no no no then", "no then"),
    ],
)
def test_a_phrase_in_a_loop_is_kept_once_and_flagged(text, kept):
    [segment] = cut_loops(lines(text))
    assert segment.text == kept
    assert segment.flags == (REPETITION,)


@pytest.mark.parametrize(
    "text",
    [
        "again and again and again",
        "no, no, no, no, no.",
        "zero zero zero zero",
        "the cell the cell the cell",
        "",
    ],
)
def test_what_people_do_say_is_not_cut(text):
    assert cut_loops(lines(text)) == tuple(lines(text))


def test_a_loop_over_several_segments_is_kept_once():
    looped = cut_loops(
        lines("Good.", "See you.", "see you", "See you!", "See you.", "Bye")
    )
    assert [s.text for s in looped] == ["Good.", "See you.", "Bye"]
    assert looped[1].flags == (REPETITION,)


def test_three_equal_segments_are_not_a_loop():
    assert cut_loops(lines("Yes.", "Yes.", "Yes.")) == tuple(
        lines("Yes.", "Yes.", "Yes.")
    )


def test_a_loop_is_flagged_once_even_if_found_twice():
    loop = "ha " * 8
    [segment] = cut_loops(lines(loop, loop, loop, loop))
    assert (segment.text, segment.flags) == ("ha", (REPETITION,))
