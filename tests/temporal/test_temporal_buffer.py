"""TemporalBuffer: the stream's window over frames of a program's own."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from streamvsr import ConfigError, TemporalBuffer

Array = NDArray[Any]


def scene(height: int = 48, width: int = 64, seed: int = 1) -> NDArray[np.float64]:
    """A texture, 40..215, (height, width, 3)."""
    coarse = np.random.default_rng(seed).uniform(40, 215, (height // 4 + 2, width // 4 + 2, 3))
    y, x = np.arange(height) / 4, np.arange(width) / 4
    j, i = y.astype(int), x.astype(int)
    v, u = (y - j)[:, None, None], (x - i)[None, :, None]
    above = coarse[j][:, i] * (1 - u) + coarse[j][:, i + 1] * u
    below = coarse[j + 1][:, i] * (1 - u) + coarse[j + 1][:, i + 1] * u
    return np.asarray(above * (1 - v) + below * v)


def noisy(clean: NDArray[np.float64], seed: int, deviation: float = 1.5) -> NDArray[np.uint8]:
    noise = np.random.default_rng(seed).normal(0, deviation, clean.shape)
    return np.clip(np.rint(clean + noise), 0, 255).astype(np.uint8)


def energy(a: Array, b: Array) -> float:
    return float(np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2))


def test_the_noise_of_a_still_scene_falls() -> None:
    clean = scene()
    for frames in (2, 3, 6):
        buffer = TemporalBuffer(max_frames=frames)
        for seed in range(frames):
            buffer.add_frame(noisy(clean, seed))
        current = noisy(clean, 99)
        steady = buffer.apply_temporal_stabilization(current)
        assert steady.shape == current.shape
        assert steady.dtype == np.uint8
        assert energy(steady, clean) < energy(current, clean) * 1.7 / frames


def test_it_is_a_sliding_window_of_what_was_added() -> None:
    clean = scene()
    frames = [noisy(clean, seed) for seed in range(6)]
    buffer, late = TemporalBuffer(3), TemporalBuffer(3)
    assert buffer.get_previous_frame() is None
    for frame in frames[:5]:
        buffer.add_frame(frame)
        assert buffer.get_previous_frame() is frame
    assert len(buffer) == 3
    for frame in frames[3:5]:
        late.add_frame(frame)
    steady = buffer.apply_temporal_stabilization(frames[5])
    # Twice the same, since it adds nothing; and nothing older counts.
    assert np.array_equal(steady, buffer.apply_temporal_stabilization(frames[5]))
    assert np.array_equal(steady, late.apply_temporal_stabilization(frames[5]))
    assert not np.array_equal(steady, frames[5])


def test_a_named_previous_frame_counts_alone() -> None:
    clean = scene()
    frames = [noisy(clean, seed) for seed in range(4)]
    buffer, other = TemporalBuffer(3), TemporalBuffer(3)
    for frame in frames[:2]:
        buffer.add_frame(frame)
    other.add_frame(frames[2])
    named = buffer.apply_temporal_stabilization(frames[3], frames[2])
    assert np.array_equal(named, other.apply_temporal_stabilization(frames[3]))


def test_nothing_crosses_a_cut() -> None:
    buffer = TemporalBuffer(4)
    for seed in range(3):
        buffer.add_frame(noisy(scene(seed=1), seed))
    after = noisy(scene(seed=2), 9)
    assert np.array_equal(buffer.apply_temporal_stabilization(after), after)


def test_what_moves_is_followed() -> None:
    wide = scene(80, 160, seed=3)
    clean = [wide[8:72, 3 * i : 3 * i + 128] for i in range(4)]
    buffer = TemporalBuffer(3)
    for i in range(3):
        buffer.add_frame(noisy(clean[i], i))
    current = noisy(clean[3], 9)
    inner = (slice(8, -8), slice(16, -16))
    steady = buffer.apply_temporal_stabilization(current)
    assert energy(steady[inner], clean[3][inner]) < 0.75 * energy(current[inner], clean[3][inner])


@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32", "float16", "tensor8", "tensor"])
@pytest.mark.parametrize("planes", [1, 3])
def test_every_kind_of_frame_comes_back_as_it_went(kind: str, planes: int) -> None:
    clean = scene()
    codes = [noisy(clean, seed)[..., :planes] for seed in range(3)]

    def frame(values: Array) -> Any:
        if kind == "uint8":
            made: Any = values
        elif kind == "uint16":
            made = values.astype(np.uint16) * 257
        elif kind.startswith("float"):
            made = (values / 255).astype(kind)
        else:
            tensor = torch.from_numpy(values.transpose(2, 0, 1).copy())
            return tensor if kind == "tensor8" else tensor.to(torch.float32)[None] / 255
        return made[..., 0] if planes == 1 else made

    def values(frame: Any) -> Array:
        if isinstance(frame, torch.Tensor):
            array = frame.numpy()
            array = (array[0] if array.ndim == 4 else array).transpose(1, 2, 0)
        else:
            array = frame[..., None] if planes == 1 else frame
        full = {"uint8": 255, "uint16": 65535}.get(str(array.dtype), 1)
        return np.asarray(array.astype(np.float64) * 255 / full)

    buffer = TemporalBuffer(3)
    for one in codes[:2]:
        buffer.add_frame(frame(one))
    given_frame = frame(codes[2])
    steady = buffer.apply_temporal_stabilization(given_frame)
    assert type(steady) is type(given_frame)
    assert steady.shape == given_frame.shape
    assert steady.dtype == given_frame.dtype
    truth = clean[..., :planes]
    assert energy(values(steady), truth) < 0.7 * energy(values(given_frame), truth)


@settings(max_examples=30)
@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    planes=st.sampled_from([1, 3]),
    deep=st.booleans(),
    seed=st.integers(0, 1000),
    threads=st.integers(1, 3),
    flow=st.sampled_from(["full", "half", "off"]),
)
def test_any_size_and_any_threads(
    height: int, width: int, planes: int, deep: bool, seed: int, threads: int, flow: str
) -> None:
    shape = (height, width) if planes == 1 else (height, width, 3)
    kind = np.uint16 if deep else np.uint8
    random = np.random.default_rng(seed)
    base = random.integers(0, 65536 if deep else 256, shape)
    limit = 65535 if deep else 255
    frames = [
        np.clip(base + random.integers(-2, 3, shape), 0, limit).astype(kind) for _ in range(3)
    ]
    results = []
    for count in (1, threads):
        buffer = TemporalBuffer(3, flow=flow, threads=count)
        for frame in frames[:2]:
            buffer.add_frame(frame)
        results.append(buffer.apply_temporal_stabilization(frames[2]))
    assert np.array_equal(results[0], results[1])
    seen = np.stack(frames).astype(np.int64)
    # Where nothing moves, a result lies among what went into it.
    if min(height, width) < 16:
        assert (results[0] >= seen.min(0)).all()
        assert (results[0] <= seen.max(0)).all()


def test_threads_may_share_one() -> None:
    buffer = TemporalBuffer(3)
    frame = noisy(scene(), 1)

    def work() -> None:
        for _ in range(20):
            buffer.add_frame(frame)
            assert np.array_equal(buffer.apply_temporal_stabilization(frame), frame)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(buffer) == 3


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"max_frames": 1}, "from 2 to 8"),
        ({"max_frames": 9}, "from 2 to 8"),
        ({"max_frames": 2.0}, "whole number"),
        ({"strength": 0}, "above 0"),
        ({"strength": "high"}, "a number"),
        ({"strength": float("nan")}, "above 0"),
        ({"flow": "ful"}, "did you mean 'full'"),
        ({"background_lock": 1}, "True or False"),
        ({"threads": -1}, "from 0 to 128"),
    ],
)
def test_nonsense_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        TemporalBuffer(**options)


def test_what_is_no_frame_is_refused() -> None:
    buffer = TemporalBuffer()
    for wrong in (np.zeros((4, 4, 2), np.uint8), np.zeros((0, 4), np.uint8), np.zeros(4, np.uint8)):
        with pytest.raises(ConfigError, match="must be"):
            buffer.add_frame(wrong)
    for tensor in (torch.zeros(2, 4, 4), torch.zeros(4, 4), torch.zeros(2, 3, 4, 4)):
        with pytest.raises(ConfigError, match="must be"):
            buffer.add_frame(tensor)
    for kind in (np.int32, np.complex64):
        with pytest.raises(TypeError, match="floating-point"):
            buffer.add_frame(np.zeros((4, 4), kind))
    with pytest.raises(TypeError, match="NumPy array"):
        buffer.add_frame([[1, 2], [3, 4]])  # type: ignore[arg-type]
    assert len(buffer) == 0
