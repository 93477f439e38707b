"""Luma through a video codec and back, in memory, with the quantiser that it met on the way."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence

import av
import numpy as np
import numpy.typing as npt
from av.sidedata.encparams import VideoEncParams

Plane = npt.NDArray[np.uint8]
EFFICIENCY = {"hevc": 0.6, "av1": 0.5, "vp9": 0.65}
_BLOCK = np.dtype([("x", "<i4"), ("y", "<i4"), ("w", "<i4"), ("h", "<i4"), ("delta", "<i4")])


def luma_of(frame: av.VideoFrame) -> Plane:
    """A copy of a decoded frame's luma plane, reduced to 8 bits where it is deeper."""
    plane, depth = frame.planes[0], frame.format.components[0].bits
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(frame.height, plane.line_size)
    if depth == 8:
        shallow: Plane = rows[:, : frame.width].copy()
        return shallow
    deep = rows.view("<u2")[:, : frame.width].astype(np.int32)
    shift = depth - 8
    reduced: Plane = np.minimum((deep + (1 << shift >> 1)) >> shift, 255).astype(np.uint8)
    return reduced


def encode(frames: Sequence[Plane], encoder: str, options: dict[str, str]) -> bytes:
    """The frames (even sizes, grey chroma) as a Matroska file made on one thread."""
    height, width = frames[0].shape
    target = io.BytesIO()
    with av.open(target, "w", format="matroska") as container:
        stream = container.add_stream(encoder, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt, stream.thread_count = (
            width,
            height,
            "yuv420p",
            1,
        )
        for luma in frames:
            picture = np.full((height * 3 // 2, width), 128, np.uint8)
            picture[:height] = luma
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "yuv420p")))
        container.mux(stream.encode(None))
    return target.getvalue()


def quantiser(frame: av.VideoFrame) -> float | None:
    """The mean luma quantiser that the H.264 decoder exported, weighted by block area."""
    side = frame.side_data.get("VIDEO_ENC_PARAMS")
    if not isinstance(side, VideoEncParams):
        return None
    raw = bytes(side)  # type: ignore[call-overload]  # a buffer, which its stub does not say
    blocks = np.frombuffer(raw[side.blocks_offset :], _BLOCK, side.nb_blocks)
    area = (blocks["w"] * blocks["h"]).astype(np.float64)
    delta = float((blocks["delta"] * area).sum() / area.sum()) if len(blocks) else 0.0
    return float(side.qp) + delta


def decode(data: bytes) -> tuple[list[Plane], list[float | None], list[int]]:
    """Luma planes, the exported quantisers (H.264 only) and the packets' sizes in bytes."""
    planes: list[Plane] = []
    quantisers: list[float | None] = []
    with av.open(io.BytesIO(data)) as container:
        stream = container.streams.video[0]
        stream.codec_context.options = {"export_side_data": "venc_params"}
        stream.thread_type = "NONE"
        sizes = []
        for packet in container.demux(stream):
            sizes.append(packet.size)
            for frame in packet.decode():
                planes.append(luma_of(frame))
                quantisers.append(quantiser(frame))
    return planes, quantisers, [size for size in sizes if size]


def quantiser_from_bits(bits_per_pixel: float, codec: str) -> float:
    """The estimate for codecs that export no quantiser, on H.264's scale."""
    return 28 - 2 * math.log2(max(bits_per_pixel, 1e-6) / (0.09 * EFFICIENCY.get(codec, 1.0)))


def through_codec(
    frames: Sequence[Plane], encoder: str, options: dict[str, str]
) -> tuple[list[Plane], float, float]:
    """The decoded frames, their mean quantiser on H.264's scale, and their bits per pixel."""
    planes, quantisers, sizes = decode(encode(frames, encoder, options))
    bits_per_pixel = 8 * sum(sizes) / (len(planes) * planes[0].size)
    known = [value for value in quantisers if value is not None]
    codec = "hevc" if encoder == "libx265" else "h264"
    mean = sum(known) / len(known) if known else quantiser_from_bits(bits_per_pixel, codec)
    return planes, min(max(mean, 0.0), 51.0), bits_per_pixel
