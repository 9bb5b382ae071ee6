"""Broken RIFF files and their kin: sizes that lie, formats that cannot be."""

import struct
from random import Random

from tests.bad_media import originals
from tests.bad_media.bad import Make, refused, taken

_SOUND = 64_000
_MOST = 0xFFFFFFFF


def chunk(name: bytes, body: bytes, declared: int | None = None) -> bytes:
    size = len(body) if declared is None else declared
    return name + struct.pack("<I", size) + body


def fmt(
    *, tag: int = 1, channels: int = 1, rate: int = 16_000, bits: int = 16
) -> bytes:
    block = channels * bits // 8 & 0xFFFF
    rates = (rate, rate * block & _MOST)
    return struct.pack("<HHIIHH", tag, channels, *rates, block, bits)


def wave(*chunks: bytes, declared: int | None = None, kind: bytes = b"WAVE") -> bytes:
    return chunk(b"RIFF", kind + b"".join(chunks), declared)


def sound(dice: Random) -> bytes:
    return dice.randbytes(_SOUND)


def described(**about: int) -> Make:
    """Return a WAV whose description of its sound is as given."""
    return lambda dice: wave(chunk(b"fmt ", fmt(**about)), chunk(b"data", sound(dice)))


def header(declared: int, length: int, riff: int | None = None) -> Make:
    """Return a WAV whose sound is not as long as it declares."""

    def make(dice: Random) -> bytes:
        body = sound(dice)[:length]
        parts = (chunk(b"fmt ", fmt()), chunk(b"data", body, declared))
        return wave(*parts, declared=riff)

    return make


def _nested(depth: int) -> bytes:
    body = b""
    for _ in range(depth):
        body = chunk(b"LIST", b"INFO" + body)
    return body


def _streamed(dice: Random) -> bytes:
    parts = (chunk(b"fmt ", fmt()), chunk(b"data", sound(dice), _MOST))
    return wave(*parts, declared=_MOST)


def _rf64(dice: Random) -> bytes:
    sizes = struct.pack("<QQQI", 2**62, 2**62, 2**62, 0)
    parts = (chunk(b"ds64", sizes), chunk(b"fmt ", fmt()))
    whole = wave(*parts, chunk(b"data", sound(dice), _MOST), declared=_MOST)
    return b"RF64" + whole[4:]


def _extensible(dice: Random) -> bytes:
    body = fmt(tag=0xFFFE) + struct.pack("<HHI", 22, 16, 0) + dice.randbytes(16)
    return wave(chunk(b"fmt ", body), chunk(b"data", sound(dice)))


def _aiff(rate: bytes, frames: int = 32_000) -> Make:
    def make(dice: Random) -> bytes:
        common = struct.pack(">HIH", 1, frames, 16) + rate
        body = b"AIFFCOMM" + struct.pack(">I", 18) + common
        body += b"SSND" + struct.pack(">I", _SOUND + 8) + bytes(8) + sound(dice)
        return b"FORM" + struct.pack(">I", len(body)) + body

    return make


def _caf(size: int) -> Make:
    def make(dice: Random) -> bytes:
        about = struct.pack(">d4sIIIII", 16_000.0, b"lpcm", 0, 2, 1, 1, 16)
        body = b"caff\0\1\0\0desc" + struct.pack(">q", 32) + about
        return body + b"data" + struct.pack(">q", size) + bytes(4) + sound(dice)

    return make


def _avi(old: bytes, offset: int, new: bytes) -> Make:
    """Return an AVI with other bytes so far after the first of a chunk's names."""

    def make(_dice: Random) -> bytes:
        body = bytearray(originals.recording(".avi"))
        place = body.index(old) + offset
        body[place : place + len(new)] = new
        return bytes(body)

    return make


SIZES = (
    *refused(
        header_only__wav=header(640_000, 0),
        no_sound__wav=lambda _: wave(chunk(b"fmt ", fmt()), chunk(b"data", b"")),
        far_too_short__wav=header(6_400_000, 64_000, riff=6_400_036),
        no_format__wav=lambda dice: wave(chunk(b"data", sound(dice))),
        riff_only__wav=lambda _: b"RIFF\xff\xff\xff\xffWAVE",
        format_of_gigabytes__wav=lambda _: wave(chunk(b"fmt ", fmt(), 2**31)),
    ),
    *taken(
        streamed__wav=_streamed,
        size_0__wav=header(0, 64_000),
        riff_size_0__wav=header(64_000, 64_000, riff=0),
        data_too_long__wav=header(2**31, 64_000),
        odd_bytes__wav=header(63_999, 63_999),
        nested__wav=lambda dice: wave(
            chunk(b"fmt ", fmt()), _nested(5000), chunk(b"data", sound(dice))
        ),
        many_chunks__wav=lambda dice: wave(
            *[chunk(b"junk", b"")] * 50_000,
            chunk(b"fmt ", fmt()),
            chunk(b"data", sound(dice)),
        ),
        sizes_of_exabytes__wav=_rf64,
    ),
)
DESCRIPTIONS = (
    *refused(
        channels_0__wav=described(channels=0),
        channels_64__wav=described(channels=64),
        channels_65535__wav=described(channels=65_535),
        rate_0__wav=described(rate=0),
        rate_3999__wav=described(rate=3_999),
        rate_of_gigahertz__wav=described(rate=2**31 - 1),
        rate_negative__wav=described(rate=_MOST),
        bits_8000__wav=described(bits=8000),
        tag_unknown__wav=described(tag=0x1234),
    ),
    *taken(
        bits_0__wav=described(bits=0),
        bits_1__wav=described(bits=1),
        tag_mp3__wav=described(tag=0x55),
        tag_adpcm__wav=described(tag=2, bits=4),
        extensible__wav=_extensible,
    ),
)
KIN = (
    *refused(
        rate_infinite__aiff=_aiff(b"\x7f\xff" + bytes(8)),
        rate_0__aiff=_aiff(bytes(10)),
        amr_header_only__amr=lambda _: b"#!AMR\n",
        asf_of_objects__wma=lambda _: (
            bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
            + struct.pack("<QI", 2**63 - 1, _MOST)
            + bytes(5000)
        ),
        w64_of_sizes__w64=lambda _: (
            bytes.fromhex("726966662e91cf11a5d628db04c10000")
            + struct.pack("<Q", 2**63)
            + bytes.fromhex("77617665f3acd3118cd100c04f8edb8a")
            + bytes(3000)
        ),
        film_without_sound__avi=lambda _: originals.film(".avi"),
    ),
    *taken(
        frames_of_gigabytes__aiff=_aiff(b"\x40\x0c\xfa\0" + bytes(6), _MOST),
        size_unknown__caf=_caf(-1),
        size_negative__caf=_caf(-(2**62)),
        size_huge__caf=_caf(2**62),
        picture_of_gigapixels__avi=_avi(b"strf", 12, b"\xff\xff\xff\x7f" * 2),
        scale_0__avi=_avi(b"auds", 20, bytes(8)),
        list_of_gigabytes__avi=_avi(b"movi", -4, b"\xff\xff\xff\x7f"),
    ),
)
FILES = (*SIZES, *DESCRIPTIONS, *KIN)
