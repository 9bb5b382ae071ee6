"""Broken FLAC, Ogg and MP3: bombs of silence, streams without end, covers, tags."""

import struct
import zlib
from functools import cache
from random import Random

from tests.bad_media import originals
from tests.bad_media.bad import Bad, Fate, Make, refused, taken

_HOUR = 3600
_RATE = 16_000
_BLOCK = 65_535  # samples in a frame: the most that there can be


@cache
def _table(polynomial: int, bits: int) -> tuple[int, ...]:
    def entry(value: int) -> int:
        for _ in range(8):
            over = value >> (bits - 1) & 1
            value = (value << 1 ^ polynomial * over) & (1 << bits) - 1
        return value

    return tuple(entry(number << (bits - 8)) for number in range(256))


def _sum(body: bytes, polynomial: int, bits: int) -> int:
    table, value = _table(polynomial, bits), 0
    for byte in body:
        value = (value << 8 ^ table[value >> (bits - 8) ^ byte]) & (1 << bits) - 1
    return value


def _streaminfo(samples: int, *, rate: int = _RATE, block: int = _BLOCK) -> bytes:
    packed = rate << 44 | 0 << 41 | 15 << 36 | samples & (1 << 36) - 1
    sizes = struct.pack(">HH", block, block) + bytes(6)
    return sizes + packed.to_bytes(8, "big") + bytes(16)


def _metadata(kind: int, body: bytes, *, last: bool, size: int | None = None) -> bytes:
    length = len(body) if size is None else size
    return bytes([kind | last << 7]) + length.to_bytes(3, "big") + body


def _frame(number: int) -> bytes:
    """Return a frame of silence: twelve bytes for four seconds."""
    head = b"\xff\xf8\x75\x08" + chr(number).encode() + struct.pack(">H", _BLOCK - 1)
    head += bytes([_sum(head, 0x07, 8)])
    body = head + bytes(3)  # one subframe: the constant 0
    return body + struct.pack(">H", _sum(body, 0x8005, 16))


def silence(hours: float, *, declared: int | None = None) -> Make:
    """Return FLAC of so many hours of silence, an eighth of a kilobyte a minute."""

    def make(_dice: Random) -> bytes:
        frames = round(hours * _HOUR * _RATE / _BLOCK)
        # Numbers beyond are spelt as UTF-8 does, surrogates too, which chr() cannot.
        assert frames < 0xD800
        said = frames * _BLOCK if declared is None else declared
        head = b"fLaC" + _metadata(0, _streaminfo(said), last=True)
        return head + b"".join(map(_frame, range(frames)))

    return make


def _flac(streaminfo: bytes) -> Make:
    return lambda dice: (
        b"fLaC" + _metadata(0, streaminfo, last=True) + dice.randbytes(20_000)
    )


def _bomb(pixels: int = 60_000) -> bytes:
    """Return a picture that would need gigabytes."""

    def part(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + bytes(4)

    head = struct.pack(">IIBBBBB", pixels, pixels, 16, 6, 0, 0, 0)
    rows = zlib.compress(bytes(20_000_000), 9)
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", head) + part(b"IDAT", rows)


def _covered_flac(_dice: Random) -> bytes:
    body = originals.recording(".flac")
    image = _bomb()
    about = struct.pack(">II9sIIIIII", 3, 9, b"image/png", 0, 60_000, 60_000, 64, 0, 0)
    cover = about[:-4] + struct.pack(">I", len(image)) + image
    first = body[: 8 + 34]  # the magic and STREAMINFO
    kept = first[:4] + bytes([first[4] & 0x7F]) + first[5:]
    return kept + _metadata(6, cover, last=False) + body[8 + 34 :]


def _syncsafe(size: int) -> bytes:
    return bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))


def _tagged(*frames: bytes, declared: int | None = None) -> Make:
    body = b"".join(frames)
    size = len(body) if declared is None else declared
    head = b"ID3\4\0\0" + _syncsafe(size)
    return lambda _dice: head + body + originals.recording(".mp3")


def _tag(name: bytes, body: bytes, declared: int | None = None) -> bytes:
    size = len(body) if declared is None else declared
    return name + _syncsafe(size) + b"\0\0" + body


def _covered_mp3(dice: Random) -> bytes:
    return _tagged(_tag(b"APIC", b"\0image/png\0\3\0" + _bomb()))(dice)


def _page(
    body: bytes, *, number: int, kind: int = 0, serial: int = 1, granule: int = -1
) -> bytes:
    """Return a page of Ogg; full ones go on in the next."""
    lacing = bytes(
        [255] * (len(body) // 255) + [len(body) % 255] * (len(body) % 255 > 0)
    )
    head = struct.pack("<4sBBqIII", b"OggS", 0, kind, granule, serial, number, 0)
    page = bytearray(head + bytes([len(lacing)]) + lacing + body)
    struct.pack_into("<I", page, 22, _sum(bytes(page), 0x04C11DB7, 32))
    return bytes(page)


def _opus(channels: int = 1) -> bytes:
    head = b"OpusHead" + struct.pack("<BBHIhB", 1, channels, 0, 48_000, 0, 0)
    tags = b"OpusTags" + struct.pack("<I", 1) + b"x" + bytes(4)
    return _page(head, number=0, kind=2, granule=0) + _page(tags, number=1, granule=0)


def _endless_packet(_dice: Random) -> bytes:
    """Return a stream whose first packet never ends."""
    full = bytes(255 * 255)
    return _opus() + b"".join(_page(full, number=n, kind=1) for n in range(2, 32))


def _endless_stream(_dice: Random) -> bytes:
    """Return one second again and again, with times that never go on, and no end."""
    second = _page(b"\xf8\xff\xfe" * 20, number=2, granule=2**62)
    return _opus() + second * 20_000


def _chain(_dice: Random) -> bytes:
    return originals.recording(".ogg", 0.5) * 200


BOMBS = (
    Bad("10-hours-of-silence.flac", silence(10), Fate.TAKEN),
    *refused(
        hours_13_of_silence__flac=silence(13),
        hours_13_declared__flac=silence(0.01, declared=13 * _HOUR * _RATE),
        rate_0__flac=_flac(_streaminfo(0, rate=0)),
        block_0__flac=_flac(_streaminfo(90_000, block=0)),
        noise_behind_header__flac=_flac(_streaminfo(90_000)),
        metadata_of_megabytes__flac=lambda _: (
            b"fLaC" + _metadata(4, b"x" * 99, last=False, size=2**24 - 1)
        ),
        metadata_without_end__flac=lambda _: (
            b"fLaC"
            + _metadata(0, _streaminfo(90_000), last=False)
            + _metadata(1, b"", last=False) * 200_000
        ),
    ),
    *taken(
        silence_of_unknown_length__flac=silence(0.5, declared=0),
        cover_of_gigapixels__flac=_covered_flac,
    ),
)
TAGS = (
    *refused(
        tag_only__mp3=lambda _: b"ID3\4\0\0" + _syncsafe(1000) + bytes(1000),
        tag_of_megabytes__mp3=lambda _: b"ID3\4\0\0\x7f\x7f\x7f\x7f" + bytes(900),
        one_frame__aac=lambda _: b"\xff\xf1\x50\x80\0\0\xfc",
        frame_of_size_0__aac=lambda _: b"\xff\xf1\x50\x80\0\x1f\xfc" * 9000,
    ),
    *taken(
        tag_larger_than_file__mp3=_tagged(bytes(90), declared=2**28 - 1),
        tag_within_tag__mp3=_tagged(*[b"ID3\4\0\0" + _syncsafe(10)] * 20_000),
        cover_of_gigapixels__mp3=_covered_mp3,
        covers_500__mp3=_tagged(
            *[_tag(b"APIC", b"\0image/png\0\3\0" + b"\x89P" * 9)] * 500
        ),
        length_all_bits__mp3=lambda _: originals.recording(".mp3").replace(
            b"Info\0\0\0\x0f", b"Info\0\0\0\x0f\xff\xff\xff\xff", 1
        ),
    ),
)
OGG = (
    *refused(
        header_only__ogg=lambda _: _opus(),
        channels_0__opus=lambda _: _opus(0) + _page(b"\xf8" * 9, number=2),
        page_only__ogg=lambda _: b"OggS" + bytes(23),
        endless_packet__ogg=_endless_packet,
        kind_unknown__ogg=lambda _: _page(b"\x01evilcodec", number=0, kind=2) * 50,
        vorbis_of_nothing__ogg=lambda _: _page(
            b"\x01vorbis" + struct.pack("<IBIiiiBB", 0, 1, 44_100, 0, 0, 0, 0, 1),
            number=0,
            kind=2,
        ),
    ),
    *taken(
        channels_255__opus=lambda _: _opus(255) + _page(b"\xf8" * 9, number=2) * 50,
        endless__ogg=_endless_stream,
        chained_200__ogg=_chain,
    ),
)
OTHER_CONTAINERS = refused(
    stream__ts=lambda _: originals.muxed("mpegts", "mp2"),
    stream_under_another_name__mp4=lambda _: originals.muxed("mpegts", "mp2"),
    flash__flv=lambda _: originals.muxed("flv", "libmp3lame"),
    nut__mkv=lambda _: originals.muxed("nut", "mp2"),
    telephone__au=lambda _: originals.muxed("au", "pcm_s16be", 16_000),
)
FILES = (*BOMBS, *TAGS, *OGG, *OTHER_CONTAINERS)
