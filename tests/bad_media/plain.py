"""What is no recording at all: nothing, noise, text, programs, playlists, polyglots."""

import base64
import gzip
import io
import json
import zipfile
from random import Random

from tests.bad_media import originals
from tests.bad_media.bad import NOBODY, Bad, Fate, Make, refused, same, taken

_SECRET = "file:///etc/passwd"
_HLS = "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{}\n#EXT-X-ENDLIST\n"
_SESSION = (
    "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
    "m=audio 9 RTP/AVP 0\na=rtpmap:0 PCMU/8000\n"
)
_MANIFEST = (
    '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"'
    ' type="static" mediaPresentationDuration="PT10S"><Period><AdaptationSet'
    ' mimeType="audio/mp4"><Representation id="1" bandwidth="1"><BaseURL>{}'
    "</BaseURL></Representation></AdaptationSet></Period></MPD>"
)
_ENTITIES = (
    '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">'
    + "".join(
        f'<!ENTITY {name} "{f"&{before};" * 10}">'
        for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    )
    + "]><MPD>&i;</MPD>"
)


def noise(size: int) -> Make:
    return lambda dice: dice.randbytes(size)


def text(words: str) -> Make:
    return same(words.encode())


def archive(_dice: Random) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("talk.wav", originals.recording(".wav"))
        packed.writestr("../../evil", bytes(1_000_000))
    return target.getvalue()


def packed(_dice: Random) -> bytes:
    return gzip.compress(originals.recording(".wav"), mtime=0)


def _recorded(suffix: str) -> Make:
    return lambda _dice: originals.recording(suffix)


def _joined(*parts: bytes) -> Make:
    return same(b"".join(parts))


NOTHING = refused(
    empty__wav=same(b""),
    empty__pdf=same(b""),
    one_byte__mp3=same(b"x"),
    zeros__mp4=same(bytes(100_000)),
    zeros__pdf=same(bytes(100_000)),
    noise__wav=noise(100_000),
    noise__mp4=noise(100_000),
    noise__flac=noise(100_000),
    noise__pdf=noise(100_000),
    large_noise__ogg=noise(4_000_000),
)
# A frame of MP3 is eleven bits and a plausible rest: noise can have some.
MAYBE_FRAMES = taken(noise__mp3=noise(100_000), noise__aac=noise(100_000))
OTHERS = refused(
    text__wav=text("Dear reader,\n" * 500),
    text__pdf=text("Dear reader,\n" * 500),
    page__webm=text("<html><body><script>alert(1)</script>" * 300),
    table__mp3=text(json.dumps({"audio": "x" * 5000})),
    script__wav=text("#!/bin/sh\nexit 1\n" + "#" * 5000),
    base64__wav=lambda _: base64.b64encode(originals.recording(".wav")),
    program__mp3=same(b"\x7fELF\x02\x01\x01" + bytes(9000)),
    archive__mp4=archive,
    packed__wav=packed,
    database__m4a=same(b"SQLite format 3\0" + bytes(9000)),
    still__mp4=lambda _: originals.picture("png"),
    photo__webm=lambda _: originals.picture("jpeg"),
    animation__mov=same(b"GIF89a\xff\xff\xff\xff\0\0\0;"),
)
PLAYLISTS = refused(
    hls_of_a_file__mp4=text(_HLS.format(_SECRET)),
    hls_of_an_address__mp3=text(_HLS.format(NOBODY)),
    hls_of_data__webm=text(_HLS.format("data:audio/wav;base64,UklGRg==")),
    hls_of_concat__m4a=text(_HLS.format("concat:/etc/passwd|/etc/hosts")),
    hls_with_key__mp4=text(
        f'#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="{NOBODY}"\n#EXTINF:1,\nx.ts\n'
    ),
    ffconcat_of_a_file__mp3=text(f"ffconcat version 1.0\nfile '{_SECRET}'\n"),
    ffconcat_of_an_address__wav=text(f"ffconcat version 1.0\nfile '{NOBODY}'\n"),
    session__mp4=text(_SESSION),
    dash_of_a_file__webm=text(_MANIFEST.format(_SECRET)),
    dash_of_an_address__mp4=text(_MANIFEST.format(NOBODY)),
    dash_with_entities__mp4=text(_ENTITIES),
    asx__wma=text(f'<asx version="3.0"><entry><ref href="{NOBODY}"/></entry></asx>'),
    pls__mp3=text(f"[playlist]\nFile1={NOBODY}\nNumberOfEntries=1\n"),
    smil__mov=text(f'<smil><body><audio src="{NOBODY}"/></body></smil>'),
    rtsp__mov=text(f"RTSPtext\r\n{NOBODY}\r\n"),
)
_WAV = originals.recording
POLYGLOTS = (
    *refused(
        page_before_sound__wav=lambda _: b"<html>" * 900 + _WAV(".wav"),
        document_as_sound__mp3=_joined(b"%PDF-1.7\n1 0 obj<<>>endobj\n" * 50),
        playlist_before_sound__wav=lambda _: (
            _HLS.format(NOBODY).encode() + _WAV(".wav")
        ),
        photo_before_film__mp4=lambda _: originals.picture("jpeg") + originals.film(),
    ),
    *taken(
        archive_after_sound__mp3=lambda dice: _WAV(".mp3") + archive(dice),
        document_after_sound__wav=lambda _: _WAV(".wav") + b"%PDF-1.7\n" * 500,
        page_after_sound__flac=lambda _: _WAV(".flac") + b"<html>" * 900,
        playlist_after_sound__ogg=lambda _: _WAV(".ogg") + _HLS.format(NOBODY).encode(),
        photo_before_sound__mp3=lambda _: originals.picture("jpeg") + _WAV(".mp3"),
    ),
)
# What is right in itself under a wrong name or type: (label, name, type, suffix, fate).
_LABELS = (
    ("film says sound", "a.wav", "audio/wav", ".mp4", Fate.TAKEN),
    ("sound says film", "a.mp4", "video/mp4", ".mp3", Fate.TAKEN),
    ("sound says page", "a.html", "text/html", ".mp3", Fate.TAKEN),
    ("sound says program", "a.exe", "application/x-msdownload", ".ogg", Fate.TAKEN),
    ("sound says bytes", "a", "application/octet-stream", ".flac", Fate.TAKEN),
    ("sound says document", "a.wav", "application/pdf", ".wav", Fate.REFUSED),
    ("sound is named document", "a.PDF", "audio/wav", ".wav", Fate.REFUSED),
    ("sound says two types", "a.wav", "audio/wav, text/html", ".wav", Fate.TAKEN),
    ("sound has a long type", "a.wav", "audio/" + "x" * 900, ".wav", Fate.TAKEN),
)
LABELS = tuple(
    Bad(label, _recorded(suffix), fate, name, kind)
    for label, name, kind, suffix, fate in _LABELS
)
FILES = (*NOTHING, *MAYBE_FRAMES, *OTHERS, *PLAYLISTS, *POLYGLOTS, *LABELS)
