"""Pictures of the film as planes of brightness and colour, and how they are mixed."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace, Interpolation

Bytes = npt.NDArray[np.uint8]

_BLACK = (16, 128, 128)
_WHITE = (235, 128, 128)
# BT.709 in the range of television, rows for Y, Cb and Cr.
_FROM_RGB = np.array(
    [
        [0.18258588, 0.61423059, 0.06200706],
        [-0.10064373, -0.33857195, 0.43921569],
        [0.43921569, -0.39894216, -0.04027352],
    ]
)
_OFFSETS = np.array([16.0, 128.0, 128.0])


class Canvas:
    """One picture in YUV 4:2:0, as an encoder takes it; sides are even."""

    __slots__ = ("flat", "height", "u", "v", "width", "y")

    def __init__(self, width: int, height: int, flat: Bytes) -> None:
        area = width * height
        self.width, self.height, self.flat = width, height, flat
        self.y = flat[:area].reshape(height, width)
        self.u = flat[area : area * 5 // 4].reshape(height // 2, width // 2)
        self.v = flat[area * 5 // 4 :].reshape(height // 2, width // 2)

    @classmethod
    def plain(cls, width: int, height: int, colour: str = "black") -> "Canvas":
        """Return a picture of one colour."""
        flat = np.empty(width * height * 3 // 2, np.uint8)
        canvas = cls(width, height, flat)
        values = _WHITE if colour == "white" else _BLACK
        for plane, value in zip((canvas.y, canvas.u, canvas.v), values, strict=True):
            plane[:] = value
        return canvas

    def copy(self) -> "Canvas":
        """Return one that may be changed."""
        return Canvas(self.width, self.height, self.flat.copy())

    def frame(self) -> VideoFrame:
        """Return it as a frame for an encoder."""
        rows = self.flat.reshape(self.height * 3 // 2, self.width)
        frame = VideoFrame.from_ndarray(rows, "yuv420p")
        frame.colorspace = int(Colorspace.ITU709)
        return frame


def fitted(
    frame: VideoFrame, width: int, height: int, *, stretch: Fraction = Fraction(1)
) -> Canvas:
    """Return a decoded frame as large as it fits, upright, with black around it.

    Args:
        frame: what was decoded.
        width: of the result; even, as is ``height``.
        height: of the result.
        stretch: how many times wider than high its pixels are.
    """
    turned = frame.rotation % 180 != 0
    wide = frame.width * float(stretch)
    shape = (frame.height, wide) if turned else (wide, frame.height)
    inner = _inside(shape, width, height)
    scaled = frame.reformat(
        width=inner[1] if turned else inner[0],
        height=inner[0] if turned else inner[1],
        format="yuv420p",
        dst_colorspace=Colorspace.ITU709,
        interpolation=Interpolation.BICUBIC,
        threads=1,
    )
    canvas = Canvas.plain(width, height)
    left = (width - inner[0]) // 4 * 2
    top = (height - inner[1]) // 4 * 2
    for plane, source, half in zip(
        (canvas.y, canvas.u, canvas.v), _planes(scaled), (1, 2, 2), strict=True
    ):
        upright = np.rot90(source, frame.rotation // 90 % 4)
        x, y = left // half, top // half
        plane[y : y + upright.shape[0], x : x + upright.shape[1]] = upright
    return canvas


def mixed(one: Canvas, other: Canvas, share: float) -> Canvas:
    """Return a mixture; ``share`` is how much of ``other`` is in it, 0 to 1."""
    weight = np.uint16(round(share * 256))
    sum_ = one.flat * (np.uint16(256) - weight) + other.flat * weight
    return Canvas(one.width, one.height, (sum_ + np.uint16(128) >> 8).astype(np.uint8))


@dataclass(frozen=True, slots=True)
class Stamp:
    """Something with transparency that is laid on pictures at one place."""

    x: int
    y: int
    planes: tuple[Bytes, Bytes, Bytes]
    opaque: tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint16]]

    def on(self, canvas: Canvas) -> None:
        """Lay it on a picture, which is changed."""
        for plane, ours, half in zip(
            (canvas.y, canvas.u, canvas.v), self.planes, (1, 2, 2), strict=True
        ):
            alpha = self.opaque[half - 1]
            x, y = self.x // half, self.y // half
            there = plane[y : y + ours.shape[0], x : x + ours.shape[1]]
            there[:] = (there * (255 - alpha) + ours * alpha + 127) // 255


def stamp(rgba: Bytes, x: int, y: int) -> Stamp:
    """Return a stamp of an RGBA picture; place and size become even."""
    rgba = np.pad(rgba, ((y % 2, 0), (x % 2, 0), (0, 0)))
    rgba = np.pad(rgba, ((0, rgba.shape[0] % 2), (0, rgba.shape[1] % 2), (0, 0)))
    yuv = rgba[:, :, :3] @ _FROM_RGB.T + _OFFSETS
    alpha = rgba[:, :, 3].astype(np.uint16)
    weight = alpha[:, :, None].astype(np.float64)
    mean = _halved(yuv * weight) / np.maximum(_halved(weight), 1)
    return Stamp(
        x - x % 2,
        y - y % 2,
        (_byte(yuv[:, :, 0]), _byte(mean[:, :, 1]), _byte(mean[:, :, 2])),
        (alpha, (_halved(weight)[:, :, 0] / 4).astype(np.uint16)),
    )


def _inside(shape: tuple[float, float], width: int, height: int) -> tuple[int, int]:
    """Return the largest even size of this shape that is not larger than the canvas."""
    factor = min(width / shape[0], height / shape[1])
    across, down = (max(2, round(side * factor / 2) * 2) for side in shape)
    return min(width, across), min(height, down)


def _planes(frame: VideoFrame) -> tuple[Bytes, Bytes, Bytes]:
    y, u, v = (
        np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[
            :, : plane.width
        ]
        for plane in frame.planes
    )
    return y, u, v


def _halved(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the sums of squares of four."""
    return np.asarray(
        values[::2, ::2] + values[1::2, ::2] + values[::2, 1::2] + values[1::2, 1::2]
    )


def _byte(values: npt.NDArray[np.float64]) -> Bytes:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
