"""What clients may ask of an export, and what is refused before anything is done."""

from fractions import Fraction
from uuid import uuid4

import pytest

from common.errors import InvalidInput
from common.timeline.plan import Found
from common.timeline.planning import plan, templates
from common.timeline.request import MAX_CLIPS, read

ID = str(uuid4())
CLIP = {"asset_id": ID}
SQUARE = {"name": "x", "aspect_ratio": "1:1"}


def timeline(**fields):
    return read({"clips": [CLIP], **fields})


def found(seconds=10, rate=25, **fields):
    values = {"width": 64, "height": 36, "has_sound": True, **fields}
    return Found(seconds=Fraction(seconds), rate=Fraction(rate), **values)


def test_what_is_left_out_has_the_defaults_of_the_contract():
    given = timeline(background_music={"track": "m", "ducking": {}})

    clip, music = given.clips[0], given.background_music
    assert (clip.in_point, clip.out_point, clip.include_audio) == (0, None, True)
    assert clip.transition.model_dump() == {
        "type": "cut",
        "duration": 0.5,
        "style": "fade",
    }
    assert (given.aspect_ratio, given.resolution, given.proxy_resolution) == (
        "16:9",
        "1080p",
        "720p",
    )
    assert (music.volume, music.fade_in, music.fade_out, music.loop) == (
        *(0.25, 1.5, 1.5),
        True,
    )
    assert music.ducking.model_dump() == {
        "enabled": True,
        "threshold": 0.05,
        "ratio": 6.0,
        "attack": 50.0,
        "release": 300.0,
    }


def test_null_means_the_default_everywhere():
    clip = CLIP | dict.fromkeys(
        ("in_point", "out_point", "transition", "subtitles", "watermark")
    )
    template = {"name": "x"} | dict.fromkeys(
        ("format", "width", "aspectRatio", "proxy")
    )
    music = {"track": "m", "fadeIn": None, "ducking": {"ratio": None}}
    nothing = dict.fromkeys(("resolution", "default_watermark", "global_subtitles"))

    given = read(
        {
            "clips": [clip | {"transition": {"type": None, "duration": 1}}],
            "export_templates": [template],
            "background_music": music,
            **nothing,
        }
    )

    assert given == read(
        {
            "clips": [CLIP | {"transition": {"duration": 1}}],
            "export_templates": [{"name": "x"}],
            "background_music": {"track": "m", "ducking": {}},
        }
    )


def test_both_spellings_are_read():
    one = {
        "clips": [{"assetId": ID, "inPoint": 1, "outPoint": 2, "includeAudio": False}],
        "backgroundMusic": {"track": "m", "fadeIn": 2, "fadeOut": 3},
        "exportTemplates": [{"name": "x", "aspectRatio": "9:16", "videoBitrate": "1M"}],
        "generateThumbnails": False,
    }
    other = {
        "clips": [{**CLIP, "in_point": 1, "out_point": 2, "include_audio": False}],
        "background_music": {"track": "m", "fade_in": 2, "fade_out": 3},
        "export_templates": [
            {"name": "x", "aspect_ratio": "9:16", "video_bitrate": "1M"}
        ],
        "generate_thumbnails": False,
    }

    assert read(one) == read(other)


def test_the_timeline_may_be_nested_or_not():
    assert read({"timeline": {"clips": [CLIP]}}) == read({"clips": [CLIP]})


def test_no_list_of_templates_means_none_and_an_empty_one_the_presets():
    assert list(templates(timeline())) == []
    assert list(templates(timeline(export_templates=None))) == []
    presets = templates(timeline(export_templates=[], aspect_ratio="1:1"))
    assert [(p.name, p.video_bitrate, p.width, p.height) for p in presets] == [
        ("YouTube Shorts", "12M", 1080, 1080),
        ("TikTok", "10M", 1080, 1080),
        ("Instagram Reels", "10M", 1080, 1080),
    ]


@pytest.mark.parametrize(
    ("clip", "message"),
    [
        ({"in_point": 2, "out_point": 1}, "out_point must be greater than in_point"),
        ({"in_point": 2, "out_point": 2}, "out_point must be greater than in_point"),
        ({"in_point": -1}, "greater than or equal to 0"),
        ({"in_point": float("nan")}, "finite"),
        ({"in_point": 1e9}, "less than or equal to"),
        ({"out_point": 1000}, "clips must not last longer than 900 s in all"),
        ({"asset_id": "../x"}, "valid UUID"),
        ({"asset_id": None}, "Field required"),
        ({"transition": {"type": "wipe"}}, "crossfade"),
        ({"transition": {"duration": -1}}, "greater than or equal to 0"),
        ({"subtitles": {}}, "path must name a subtitle file"),
        ({"subtitles": {"path": "a\0b"}}, "pattern"),
        ({"watermark": {"path": "w", "scale": 1}}, "less than 1"),
        ({"watermark": {"path": "w", "opacity": 0}}, "greater than 0"),
    ],
)
def test_a_clip_that_makes_no_sense_is_refused(clip, message):
    with pytest.raises(InvalidInput, match=message) as refused:
        read({"clips": [CLIP | clip]})

    assert not refused.value.retryable
    assert str(refused.value).startswith("Invalid timeline payload: ")
    assert refused.value.details


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"clips": []}, "at least 1 item"),
        ({"clips": [CLIP] * (MAX_CLIPS + 1)}, "at most 50 items"),
        ({"resolution": "8k"}, "1080p"),
        ({"background_music": {"track": "m", "volume": 3}}, "less than or equal to 2"),
        ({"background_music": {"track": ""}}, "pattern"),
        ({"export_templates": [{"name": "x"}] * 6}, "at most 5 items"),
        ({"export_templates": [{"name": "x", "width": 1920}]}, "aspect_ratio"),
        ({"export_templates": [{"name": "x", "video_bitrate": "8G"}]}, "pattern"),
        ({"export_templates": [{"name": "x", "video_bitrate": "90M"}]}, "100k and 20M"),
        ({"export_templates": [{"name": "x", "audio_bitrate": "8"}]}, "32k and 320k"),
        ({"export_templates": [{"name": "x", "format": "avi"}]}, "webm"),
        (
            {"export_templates": [SQUARE | {"width": 1500, "height": 1500}]},
            "1920 x 1080",
        ),
        (
            {
                "clips": [
                    {**CLIP, "subtitles": {"path": "ж" * 300, "force_style": "я" * 500}}
                ]
                * 50
            },
            "too long to be kept",
        ),
    ],
)
def test_a_timeline_that_makes_no_sense_is_refused(fields, message):
    with pytest.raises(InvalidInput, match=message):
        timeline(**fields)


@pytest.mark.parametrize("payload", [{}, {"timeline": []}, {"clips": "x"}])
def test_what_is_no_timeline_is_refused(payload):
    with pytest.raises(InvalidInput, match="clips"):
        read(payload)


def test_clips_end_where_their_video_does():
    given = read({"clips": [CLIP | {"in_point": 8, "out_point": 20}]})

    assert plan(given, [found(seconds=10)]).frames == 2 * 25


def test_a_clip_that_begins_after_its_video_is_refused():
    given = read({"clips": [CLIP, CLIP | {"in_point": 10}]})

    with pytest.raises(InvalidInput, match="Clip 2 begins at 10 s, but its video ends"):
        plan(given, [found(), found()])


def test_a_timeline_that_turns_out_too_long_is_refused():
    with pytest.raises(InvalidInput, match="lasts 1000 s; at most 900 s"):
        plan(timeline(), [found(seconds=1000)])


def test_a_transition_takes_at_most_half_of_either_clip():
    fade = {"type": "crossfade", "duration": 30}
    clips = [CLIP | {"transition": fade}, CLIP | {"transition": fade}, CLIP]

    made = plan(read({"clips": clips}), [found(4), found(2), found(4)])

    assert [span.blended for span in made.spans] == [0, 25, 25]
    assert [span.first for span in made.spans] == [0, 75, 100]
    assert made.frames == 100 + 100


@pytest.mark.parametrize(
    ("rates", "rate"),
    [
        ([25, 30], 30),
        ([Fraction(30000, 1001)], Fraction(30000, 1001)),
        ([1000], 60),
        ([0], 25),
        ([Fraction(1, 10)], 1),
    ],
)
def test_the_film_has_the_highest_rate_of_its_clips(rates, rate):
    made = plan(read({"clips": [CLIP] * len(rates)}), [found(rate=r) for r in rates])

    assert made.rate == rate


@pytest.mark.parametrize(
    ("resolution", "ratio", "size"),
    [
        ("540p", "16:9", (960, 540)),
        ("720p", "9:16", (720, 1280)),
        ("1080p", "1:1", (1080, 1080)),
    ],
)
def test_resolution_and_aspect_ratio_give_the_size(resolution, ratio, size):
    given = timeline(resolution=resolution, aspect_ratio=ratio)

    film = plan(given, [found()]).films[0]

    assert (film.width, film.height) == size


def test_parts_cover_the_film_and_cost_about_the_same():
    small = plan(timeline(resolution="540p"), [found(seconds=600)])
    large = plan(timeline(export_templates=[]), [found(seconds=900, rate=60)])

    for made in (small, large):
        borders = [border for part in made.parts for border in part]
        assert borders[0] == 0
        assert borders[-1] == made.frames
        assert borders[1:-1:2] == borders[2::2]
    assert len(large.parts) <= 200
    assert large.part_frames < small.part_frames / 3
    assert large.part_frames >= 25
