"""Films that are rendered are decoded again: what is seen and heard, and when."""

import io

import av
import numpy as np
import pytest
from av.video.frame import PictureType

from common.timeline import labour
from common.timeline.orders import Look
from tests import film_samples
from tests.common.timelines import film, line, planned, rendered, timeline
from tests.film_samples import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    RED,
    WHITE,
    brightness,
    counting,
    near,
    picture,
    tone,
)


def test_the_right_clip_is_seen_and_heard_at_the_right_second():
    files = [
        film_samples.film(RED, 1.0, hertz=440),
        film_samples.film(GREEN, 1.0, hertz=880),
        film_samples.film(BLUE, 1.0, hertz=1320),
    ]
    clips = [{"out_point": 0.6}, {"in_point": 0.2}, {"in_point": 0.5}]

    made = film(timeline(*clips), files)

    assert made.seconds == pytest.approx(0.6 + 0.8 + 0.5, abs=0.1)
    seen = [made.colour(second) for second in (0.0, 0.5, 0.6, 1.3, 1.4, 1.8)]
    wanted = [RED, RED, GREEN, GREEN, BLUE, BLUE]
    assert all(map(near, seen, wanted)), seen
    for hertz, start, end in ((440, 0, 0.6), (880, 0.6, 1.4), (1320, 1.4, 1.9)):
        assert made.level(hertz, start + 0.05, end - 0.05) > -14
        assert made.level(hertz, (start + 1) % 1.9, (start + 1) % 1.9 + 0.3) < -40


def test_a_film_lasts_as_long_as_its_clips_to_the_frame():
    files = [film_samples.film(RED, 1.0), film_samples.film(BLUE, 0.7)]

    made = film(timeline({"in_point": 0.1, "out_point": 0.8}, {}), files)

    assert len(made.frames) == 7 + 7
    assert made.times == pytest.approx([number / 10 for number in range(14)])
    assert len(made.samples) / 48_000 == pytest.approx(1.4, abs=0.1)


def test_trimming_is_exact_to_the_frame_wherever_key_frames_are():
    source = counting(24)  # one key frame, at its start

    made = film(timeline({"in_point": 1.2, "out_point": 1.7}), [source])

    seen = [frame[45, 80, 0] for frame in made.frames]
    wanted = [brightness(number) for number in range(12, 17)]
    assert np.allclose(seen, wanted, atol=4), (seen, wanted)


@pytest.mark.parametrize("cuts", [(), (3,), (1, 5, 6, 11)])
def test_a_film_is_the_same_in_however_many_parts_it_is_rendered(cuts):
    source = counting(14)

    made = film(timeline({}), [source], cuts=cuts)

    seen = [frame[45, 80, 0] for frame in made.frames]
    assert np.allclose(seen, [brightness(number) for number in range(14)], atol=4)


def test_a_part_may_begin_within_a_crossfade():
    files = [film_samples.film(RED, 1.0), film_samples.film(BLUE, 1.0)]
    wanted = timeline({"transition": {"type": "crossfade", "duration": 0.4}}, {})
    made = planned(wanted, files)

    whole, cut = rendered(made, files), rendered(made, files, cuts=(8,))

    assert len(whole.frames) == len(cut.frames) == 16
    for one, other in zip(whole.frames, cut.frames, strict=True):
        assert np.abs(one.astype(int) - other).mean() < 3


def test_a_crossfade_mixes_both_pictures_and_both_sounds():
    files = [
        film_samples.film(RED, 1.0, hertz=440),
        film_samples.film(BLUE, 1.0, hertz=880),
    ]
    fade = {"type": "crossfade", "duration": 0.4}

    made = film(timeline({"transition": fade}, {}), files)

    assert made.seconds == pytest.approx(1.6)
    middle = made.colour(0.8)
    assert RED[0] > middle[0] > 40 < middle[2] < BLUE[2]
    assert near(made.colour(0.3), RED)
    assert near(made.colour(1.1), BLUE)
    for hertz in (440, 880):
        assert made.level(hertz, 0.7, 0.9) == pytest.approx(-13.5, abs=2)
    assert made.level(880, 0.0, 0.5) < -45
    assert made.level(440, 1.1, 1.6) < -45


@pytest.mark.parametrize(("kind", "colour"), [("black", BLACK), ("white", WHITE)])
def test_a_clip_fades_into_a_colour_and_the_next_one_out_of_it(kind, colour):
    files = [film_samples.film(RED, 1.0), film_samples.film(BLUE, 1.0)]
    fade = {"type": f"fade_to_{kind}", "duration": 0.4}

    made = film(timeline({"transition": fade}, {}), files)

    assert made.seconds == pytest.approx(2.0, abs=0.1)
    assert near(made.colour(0.5), RED)
    assert near(made.colour(0.9), colour)
    assert not near(made.colour(1.1), BLUE)
    assert near(made.colour(1.5), BLUE)
    assert made.level(440, 0.95, 1.05) < made.level(440, 0.1, 0.5) - 12


def test_a_last_clip_may_fade_out():
    made = film(
        timeline({"transition": {"type": "fade_to_black", "duration": 0.5}}),
        [film_samples.film(RED, 1.0)],
    )

    assert near(made.colour(0.4), RED)
    assert near(made.colour(0.9), BLACK)


def test_a_clip_without_sound_is_silent_between_others():
    files = [
        film_samples.film(RED, 0.6, hertz=440),
        film_samples.film(GREEN, 0.6, hertz=None),
        film_samples.film(BLUE, 0.6, hertz=440),
    ]

    made = film(timeline({}, {}, {}), files)

    levels = [made.level(440, start, start + 0.4) for start in (0.1, 0.7, 1.3)]
    assert levels[0] > -14
    assert levels[1] < -50
    assert levels[2] > -14


def test_a_gap_in_the_sound_of_a_clip_is_silence():
    source = film_samples.interrupted(heard=(0.0, 0.4, 0.8))

    made = film(timeline({}), [source])

    levels = [made.level(440, start, start + 0.3) for start in (0.05, 0.45, 0.85)]
    assert levels[0] > -14
    assert levels[1] < -50
    assert levels[2] > -14


def test_sound_that_begins_late_is_heard_late():
    source = film_samples.interrupted(heard=(0.5, 0.7, 0.7))

    made = film(timeline({"in_point": 0.2}), [source])

    assert made.level(440, 0.0, 0.25) < -50
    assert made.level(440, 0.35, 0.95) > -14


def test_a_clip_alone_may_be_silent():
    made = film(timeline({}), [film_samples.film(RED, 0.5, hertz=None)])

    assert made.sound_codecs == []
    assert len(made.frames) == 5


def test_the_sound_of_a_clip_can_be_left_out():
    files = [film_samples.film(RED, 0.6), film_samples.film(BLUE, 0.6)]

    made = film(timeline({"include_audio": False}, {}), files)

    assert made.level(440, 0.05, 0.55) < -50
    assert made.level(440, 0.65, 1.15) > -14


@pytest.mark.parametrize("seconds", [0.1, 0.4, 1.0])
def test_a_timeline_may_be_shorter_than_a_second(seconds):
    made = film(timeline({"out_point": seconds}), [film_samples.film(RED, 1.0)])

    assert made.seconds == pytest.approx(seconds)
    assert near(made.colour(0), RED)


def test_clips_of_other_sizes_and_rates_are_fitted():
    files = [
        film_samples.film(RED, 0.6, size=(160, 90), rate=10),
        film_samples.film(BLUE, 0.6, size=(90, 160), rate=15),
        film_samples.film(GREEN, 0.6, size=(64, 64), rate=12),
    ]

    made = film(timeline({}, {}, {}), files)

    assert made.rate == 15
    assert made.seconds == pytest.approx(1.8, abs=1 / 15)
    assert near(made.colour(0.3, x=0.02), RED)
    assert near(made.colour(0.9), BLUE)
    assert near(made.colour(0.9, x=0.2), BLACK)
    assert near(made.colour(1.5), GREEN)
    assert near(made.colour(1.5, x=0.1), BLACK)


def test_a_wide_clip_in_a_portrait_film_has_black_above_and_below():
    wanted = timeline({}, aspect_ratio="9:16")

    made = film(wanted, [film_samples.film(RED, 0.5)])

    assert made.size == (90, 160)
    assert near(made.colour(0.2), RED)
    assert near(made.colour(0.2, y=0.1), BLACK)
    assert near(made.colour(0.2, y=0.9), BLACK)


def test_subtitles_are_seen_while_they_last_and_only_below():
    source = film_samples.film(BLACK, 1.0)
    made = planned(timeline({}), [source], burnt=(line(300, 700, "Hello"),))

    shown = rendered(made, [source])

    bright = [_bright(frame) for frame in shown.frames]
    assert [bool(count) for count in bright] == [3 <= n < 7 for n in range(10)]
    assert _bright(shown.frames[4][:60]) == 0


def test_subtitles_go_while_the_picture_below_them_stands():
    files = [film_samples.film(BLACK, 0.4, rate=5), film_samples.film(BLACK, 0.2)]
    made = planned(timeline({}, {}), files, burnt=(line(0, 100, "Hello"),))

    frames = rendered(made, files).frames

    assert [bool(_bright(frame)) for frame in frames[:2]] == [True, False]


@pytest.mark.parametrize("text", ["Grüße", "مرحبا بالعالم", "שלום", "你好世界", "नमस्ते"])
def test_subtitles_of_any_script_that_our_fonts_have_are_drawn(text):
    source = film_samples.film(BLACK, 0.1)
    plan = planned(timeline({}), [source])

    drawn, box = (
        rendered(plan.model_copy(update={"burnt": (line(0, 99, said),)}), [source])
        for said in (text, "\U0001fae8" * len(text))
    )

    assert _bright(drawn.frames[0]) > 20
    assert np.abs(drawn.frames[0].astype(int) - box.frames[0]).mean() > 0.5


def test_subtitles_may_stand_at_the_top_in_another_colour():
    source = film_samples.film(BLACK, 0.1)
    top = line(0, 100, "TOP", top=True, colour=(255, 0, 0))
    made = planned(timeline({}), [source], burnt=(top,))

    frame = rendered(made, [source]).frames[0]

    assert (frame[:45, :, 0] > 120).any()
    assert frame[45:].max() < 40
    assert frame[:, :, 1].max() < 120


@pytest.mark.parametrize(
    ("container", "codec"), [("mp4", "mov_text"), ("webm", "webvtt")]
)
def test_subtitles_may_be_a_track_beside_the_picture(container, codec):
    source = film_samples.film(BLACK, 1.0)
    made = planned(timeline({}), [source], track=(line(200, 700, "Hi {b}\\x"),))
    first = made.films[0].model_copy(update={"container": container})

    shown = rendered(made.model_copy(update={"films": (first,)}), [source])

    assert shown.texts == [codec]
    assert b"Hi (b)/x" in shown.content
    assert not any(_bright(frame) for frame in shown.frames)


@pytest.mark.parametrize(
    ("position", "x", "y"),
    [
        ("top-left", 0.1, 0.1),
        ("top-right", 0.9, 0.1),
        ("bottom-left", 0.1, 0.9),
        ("bottom-right", 0.9, 0.9),
    ],
)
def test_a_watermark_is_in_its_corner_and_nowhere_else(position, x, y):
    mark = {"path": "w", "position": position, "scale": 0.2}
    source = film_samples.film(BLUE, 0.2)

    made = film(timeline({}, default_watermark=mark), [source], marks=[picture()])

    assert near(made.colour(0.1, x=x, y=y), WHITE)
    others = {(0.1, 0.1), (0.9, 0.1), (0.1, 0.9), (0.9, 0.9), (0.5, 0.5)} - {(x, y)}
    assert all(near(made.colour(0.1, x=a, y=b), BLUE) for a, b in others)


def test_a_watermark_is_as_opaque_as_it_should_be():
    mark = {"path": "w", "position": "top-left", "scale": 0.3, "opacity": 0.5}
    source = film_samples.film(BLACK, 0.2)

    made = film(timeline({"watermark": mark}), [source], marks=[picture()])

    assert near(made.colour(0.1, x=0.1, y=0.1), GREY)


def test_a_clip_may_have_a_watermark_of_its_own():
    own = {"path": "own", "position": "top-left", "scale": 0.2}
    usual = {"path": "usual", "position": "top-right", "scale": 0.2}
    files = [film_samples.film(BLUE, 0.3), film_samples.film(BLUE, 0.3)]
    wanted = timeline({"watermark": own}, {}, default_watermark=usual)

    made = film(wanted, files, marks=[picture(WHITE), picture(RED)])

    assert near(made.colour(0.1, x=0.1, y=0.1), RED)
    assert near(made.colour(0.1, x=0.9, y=0.1), BLUE)
    assert near(made.colour(0.5, x=0.9, y=0.1), WHITE)


def test_a_watermark_that_is_no_picture_is_refused():
    source = film_samples.film(BLUE, 0.2)
    mark = {"path": "w"}

    with pytest.raises(AssertionError, match="not a PNG, JPEG or WebP"):
        film(
            timeline({}, default_watermark=mark),
            [source],
            marks=[io.BytesIO(b"<svg/>")],
        )


QUIET = {"track": "m", "volume": 0.5, "fade_in": 0, "fade_out": 0}


def test_music_is_heard_below_the_clips_as_loud_as_asked():
    source = film_samples.film(RED, 1.0, hertz=None)

    made = film(
        timeline({}, background_music=QUIET),
        [source],
        music=tone(1.2, hertz=1760, level=0.5),
    )

    assert made.level(1760, 0.2, 0.8) == pytest.approx(-12, abs=1.5)


def test_music_steps_back_while_somebody_speaks():
    files = [
        film_samples.film(RED, 1.2, hertz=440, level=0.5),
        film_samples.film(BLUE, 1.2, hertz=None),
    ]
    ducking = {"threshold": 0.05, "ratio": 6, "attack": 20, "release": 100}
    wanted = [
        timeline({}, {}, background_music={**QUIET, "ducking": how})
        for how in (ducking, None)
    ]

    ducked, plain = (film(one, files, music=tone(2.4)) for one in wanted)

    beneath = plain.level(1760, 0.4, 1.0) - ducked.level(1760, 0.4, 1.0)
    after = plain.level(1760, 1.8, 2.3) - ducked.level(1760, 1.8, 2.3)
    voice_above_threshold = 17  # dB: one channel at 0.5 is 0.354 in each of two
    assert beneath == pytest.approx(voice_above_threshold * (1 - 1 / 6), abs=1)
    assert after == pytest.approx(0, abs=0.5)


@pytest.mark.parametrize(("loop", "quietest"), [(True, -20.0), (False, -200.0)])
def test_short_music_is_repeated_if_it_is_to_be(loop, quietest):
    source = film_samples.film(RED, 1.5, hertz=None)

    made = film(
        timeline({}, background_music={**QUIET, "loop": loop}),
        [source],
        music=tone(0.5),
    )

    assert made.level(1760, 0.05, 0.4) > -14
    last = made.level(1760, 1.1, 1.4)
    assert quietest < last
    assert bool(last < -50) != loop


def test_music_begins_at_its_offset_and_fades():
    source = film_samples.film(RED, 1.5, hertz=None)
    music = {**QUIET, "offset": 0.5, "fade_in": 0.5, "fade_out": 0.5, "loop": False}

    made = film(timeline({}, background_music=music), [source], music=tone(3.0))

    middle = made.level(1760, 0.6, 0.9)
    assert made.level(1760, 0.0, 0.1) < middle - 12
    assert made.level(1760, 1.4, 1.5) < middle - 12


def test_each_template_is_a_film_in_its_own_size_and_kind():
    template = {"width": 90, "height": 160, "generate_thumbnails": False}
    templates = [
        {"name": "a", "format": "mov", **template},
        {"name": "b", "format": "webm", "watermark": {"path": "w"}, **template},
    ]
    source = film_samples.film(RED, 0.4)
    made = planned(timeline({}, export_templates=templates), [source], small=False)

    mov, webm = (rendered(made, [source], marks=[picture()], film=n) for n in (2, 3))

    assert (mov.codec, mov.sound_codecs, mov.size) == ("h264", ["aac"], (90, 160))
    assert (webm.codec, webm.sound_codecs, webm.size) == ("vp9", ["opus"], (90, 160))
    assert len(mov.frames) == len(webm.frames) == 4
    assert near(mov.colour(0.2), RED)
    assert near(mov.colour(0.2, y=0.1), BLACK)
    assert near(webm.colour(0.2, x=0.93, y=0.04), WHITE)
    assert near(mov.colour(0.2, x=0.93, y=0.04), BLACK)


def test_no_picture_is_made_of_one_that_is_shown_later():
    """Else parts could not be put one behind another by counting."""
    made = film(timeline({}), [film_samples.film(RED, 1.5)])

    with av.open(io.BytesIO(made.content), "r") as media:
        kinds = [int(frame.pict_type) for frame in media.decode(video=0)]
    assert set(kinds) <= {PictureType.I, PictureType.P}
    assert len(kinds) == 15


def test_the_index_of_a_film_is_at_its_start():
    made = film(timeline({}), [film_samples.film(RED, 0.3)])

    assert 0 < made.content.find(b"moov") < made.content.find(b"mdat")


@pytest.mark.parametrize("content", [b"", b"junk" * 500, b"#EXTM3U\n/etc/passwd\n"])
def test_what_is_no_film_is_refused(content):
    [said] = labour.done(Look(), [io.BytesIO(content)], [])

    assert said.refused is not None
    assert not said.done


def _bright(frame):
    """Return how many samples of a picture are bright."""
    return int((frame > 160).sum())
