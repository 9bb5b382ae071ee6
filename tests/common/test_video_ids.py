"""Which texts name a video, and which only look as if they did."""

import pytest

from common.videos import video_id

ID = "dQw4w9WgXcQ"


@pytest.mark.parametrize(
    "text",
    [
        ID,
        f"  {ID}\n",
        f"https://www.youtube.com/watch?v={ID}",
        f"http://youtube.com/watch?v={ID}&t=3s",
        f"youtube.com/watch?feature=share&v={ID}",
        f"https://m.youtube.com/watch?v={ID}",
        f"https://music.youtube.com/watch?v={ID}&si=x",
        f"https://youtu.be/{ID}?si=abc",
        f"youtu.be/{ID}",
        f"https://www.youtube.com/shorts/{ID}",
        f"https://www.youtube.com/live/{ID}?feature=share",
        f"https://www.youtube.com/embed/{ID}/",
        f"https://www.youtube.com/watch?v={ID}#t=3",
        f"HTTPS://YOUTU.BE/{ID}",
        "-_-_-_-_-_-",
    ],
)
def test_an_id_or_an_address_names_a_video(text):
    assert video_id(text) in (ID, "-_-_-_-_-_-")


@pytest.mark.parametrize(
    "text",
    [
        f"https://notyoutube.com/watch?v={ID}",
        f"https://youtube.com.evil.example/watch?v={ID}",
        f"https://evil.example/youtube.com/watch?v={ID}",
        f"https://youtube.com@evil.example/watch?v={ID}",
        f"https://evil.example#@youtube.com/watch?v={ID}",
        f"https://evil.example\\@youtube.com/watch?v={ID}x",
        f"https://youtube-nocookie.com/embed/{ID}",
        f"https://xyoutu.be/{ID}",
        f"https://youtu.be/{ID}%0A",
        f"https://www.youtube.com/watch?v={ID}%0A",
        f"https://www.youtube.com/watch?v=%20{ID}",
        "https://youtu.be/dQw4w9W\ngXcQ",
        f"{ID}\u0661",
        "dQw4w9WgXc\u0661",
        f"https://www.youtube.com/v/{ID}",
        f"https://www.youtube.com/watch/{ID}",
        f"https://www.youtube.com/watch?V={ID}",
        f"https://www.youtube.com/embed/a/{ID}",
        "https://www.youtube.com/watch",
        "https://youtu.be/",
        f"ftp://youtu.be/{ID}",
        f"javascript:alert(1)//{ID}",
        "https://[youtu.be",
        "dQw4w9WgXc",
        "dQw4w9WgXcQQ",
        "dQw4w9WgXc/",
        f"https://youtu.be/{ID}" + "x" * 3000,
    ],
)
def test_what_only_looks_like_one_names_none(text):
    with pytest.raises(
        ValueError, match=r"^video_id must be a valid YouTube video ID$"
    ):
        video_id(text)


@pytest.mark.parametrize("text", ["", "   ", "\n"])
def test_nothing_names_none(text):
    with pytest.raises(ValueError, match="video_id cannot be empty"):
        video_id(text)


@pytest.mark.parametrize(
    "text", [f"https://www.youtube.com/watch?v={ID}&list=PL1", "playlist?list=PL1"]
)
def test_a_playlist_is_no_video(text):
    with pytest.raises(ValueError, match="playlist URLs are not supported"):
        video_id(text)
