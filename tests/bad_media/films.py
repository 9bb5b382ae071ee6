"""Broken MP4 and Matroska files: boxes in boxes, sizes and counts that lie."""

import struct
from random import Random

from tests.bad_media import originals
from tests.bad_media.bad import NOBODY, Make, refused, taken

_MOST = 0xFFFFFFFF
_BRAND = struct.pack(">I4s4sI4s", 20, b"ftyp", b"isom", 0, b"isom")


def box(name: bytes, body: bytes = b"", declared: int | None = None) -> bytes:
    size = len(body) + 8 if declared is None else declared
    return struct.pack(">I", size) + name + body


def long_box(name: bytes, body: bytes, declared: int) -> bytes:
    """Return a box whose size has 64 bits."""
    return struct.pack(">I4sQ", 1, name, declared) + body


def started(*boxes: bytes) -> Make:
    """Return a file that starts as a film does."""
    return lambda _dice: _BRAND + b"".join(boxes)


def nested(name: bytes, depth: int) -> bytes:
    """Return boxes in boxes; made from outside to inside, as each has its own size."""
    heads = [struct.pack(">I4s", 8 * (depth - n), name) for n in range(depth)]
    return b"".join(heads)


def patched(suffix: str, name: bytes, offset: int, new: bytes) -> Make:
    """Return a recording with other bytes so far after a name's first byte."""

    def make(_dice: Random) -> bytes:
        body = bytearray(originals.recording(suffix))
        place = body.index(name) + offset
        body[place : place + len(new)] = new
        return bytes(body)

    return make


def _reference(address: str) -> bytes:
    """Return a film that only says where the film is."""
    place = bytes(4) + b"url " + struct.pack(">I", len(address)) + address.encode()
    return box(b"moov", box(b"rmra", box(b"rmda", box(b"rdrf", place))))


def _elsewhere(_dice: Random) -> bytes:
    """Return a recording whose samples are said to be at an address."""
    body = originals.recording(".m4a")
    inside = struct.pack(">I4sI", 12, b"url ", 1)
    address = NOBODY.encode()[: len(inside)]
    return body.replace(inside, box(b"url ", bytes(4), 12)[:12]) + address


def _without(name: bytes) -> Make:
    return lambda _dice: originals.recording(".mp4").replace(name, b"evil")


BOXES = (
    *refused(
        brand_only__mp4=started(),
        size_0__mp4=started(box(b"moov", bytes(900), 0)),
        size_huge__mp4=started(box(b"moov", bytes(900), _MOST)),
        size_64_bits_0__mp4=started(long_box(b"moov", bytes(900), 0)),
        size_64_bits_huge__mp4=started(long_box(b"moov", bytes(900), 2**64 - 1)),
        size_64_bits_negative__mp4=started(long_box(b"mdat", bytes(900), 2**63)),
        samples_only__mp4=started(box(b"mdat", bytes(90_000))),
        nested_moov__mp4=started(nested(b"moov", 20_000)),
        nested_tags__m4a=started(box(b"moov", box(b"udta", nested(b"meta", 20_000)))),
        tracks_20000__mp4=started(box(b"moov", box(b"trak") * 20_000)),
        film_at_a_file__mov=started(_reference("file:///etc/passwd")),
        film_at_an_address__mov=started(_reference(NOBODY)),
        without_index__mp4=_without(b"moov"),
        without_sample_sizes__mp4=_without(b"stsz"),
        film_without_sound__mp4=lambda _: originals.film(),
        fragments_only__mp4=started(*[box(b"moof", box(b"mfhd", bytes(8)))] * 20_000),
    ),
    *taken(
        tags_of_gigabytes__m4a=patched(".m4a", b"udta", -4, b"\x7f\xff\xff\xff"),
        entries_of_times__mp4=patched(".mp4", b"stts", 8, b"\xff" * 4),
        entries_of_sizes__mp4=patched(".mp4", b"stsz", 12, b"\xff" * 4),
        entries_of_chunks__mp4=patched(".mp4", b"stsc", 8, b"\xff" * 4),
        entries_of_places__mp4=patched(".mp4", b"stco", 8, b"\xff" * 4),
        one_size_of_gigabytes__m4a=patched(".m4a", b"stsz", 8, b"\x7f\xff\xff\xff"),
        ticks_0__m4a=patched(".m4a", b"mdhd", 16, bytes(4)),
        length_huge__m4a=patched(".m4a", b"mdhd", 20, b"\x7f\xff\xff\xff"),
        channels_64__m4a=patched(".m4a", b"mp4a", 20, b"\0\x40"),
        rate_0__m4a=patched(".m4a", b"mp4a", 28, bytes(4)),
        picture_of_gigapixels__mp4=patched(".mp4", b"mp4v", 28, b"\xff" * 4),
        samples_elsewhere__m4a=_elsewhere,
        codec_unknown__m4a=patched(".m4a", b"mp4a", 0, b"evil"),
        pcm_of_no_bits__mov=patched(".mov", b"sowt", 22, bytes(2)),
    ),
)


def element(number: int, body: bytes, declared: bytes | None = None) -> bytes:
    """Return an element of EBML; its size has 8 bytes unless it says another."""
    name = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return name + (declared or (2**56 + len(body)).to_bytes(8, "big")) + body


_UNKNOWN = b"\x01" + b"\xff" * 7
_EBML, _SEGMENT, _TRACKS, _TRACK = 0x1A45DFA3, 0x18538067, 0x1654AE6B, 0xAE
_HEAD = element(_EBML, element(0x4282, b"matroska"))


def _tracks(*tracks: bytes) -> Make:
    body = element(_TRACKS, b"".join(tracks))
    return lambda _dice: _HEAD + element(_SEGMENT, body, _UNKNOWN)


def _track(number: int, *, rate: float = 16_000.0, channels: int = 1) -> bytes:
    about = element(0xB5, struct.pack(">d", rate)) + element(0x9F, bytes([channels]))
    kind = element(0xD7, number.to_bytes(4, "big")) + element(0x83, b"\2")
    return element(
        _TRACK, kind + element(0x86, b"A_PCM/INT/LIT") + element(0xE1, about)
    )


def _deep(depth: int) -> bytes:
    """Return groups of chapters in one another."""
    return b"".join(b"\xb6" + _UNKNOWN for _ in range(depth))


MATROSKA = (
    *refused(
        head_only__mkv=lambda _: _HEAD,
        head_of_unknown_size__mkv=lambda _: b"\x1aE\xdf\xa3" + _UNKNOWN + bytes(900),
        other_kind__mkv=lambda _: element(_EBML, element(0x4282, b"evil" * 9)),
        segment_of_exabytes__mkv=lambda _: (
            _HEAD + element(_SEGMENT, bytes(900), b"\x01" + b"\xfe" * 7)
        ),
        void_of_exabytes__mkv=lambda _: (
            _HEAD + element(_SEGMENT, element(0xEC, b"", b"\x01" + b"\xfe" * 7))
        ),
        chapters_in_chapters__mkv=lambda _: (
            _HEAD + element(_SEGMENT, element(0x1043A770, _deep(50_000), _UNKNOWN))
        ),
        tracks_5000__mkv=_tracks(*map(_track, range(1, 5001))),
        rate_0__mkv=_tracks(_track(1, rate=0.0)),
        rate_not_a_number__mkv=_tracks(_track(1, rate=float("nan"))),
        rate_negative__mkv=_tracks(_track(1, rate=-1e300)),
        channels_64__mkv=_tracks(_track(1, channels=64)),
        no_track__webm=_tracks(),
    ),
    *taken(
        segment_of_unknown_size__mkv=patched(".mkv", b"\x18\x53\x80\x67", 4, _UNKNOWN),
        segment_of_unknown_size__webm=patched(
            ".webm", b"\x18\x53\x80\x67", 4, _UNKNOWN
        ),
        cluster_of_exabytes__webm=patched(".webm", b"\x1f\x43\xb6\x75", 4, b"\x08"),
        tracks_twice__mkv=lambda _: originals.recording(".mkv") * 2,
    ),
)
FILES = (*BOXES, *MATROSKA)
