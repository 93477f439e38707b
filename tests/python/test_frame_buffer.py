"""MemoryFrameBuffer: the stream's gate with Python's hands on it."""

from __future__ import annotations

import gc
import threading
import weakref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from streamvsr import ConfigError, MemoryFrameBuffer

MB = 1 << 20


def _frame(megabytes: float = 1.0) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.zeros(int(megabytes * MB), np.uint8)


def test_frames_are_kept_without_a_copy_until_they_are_released() -> None:
    buffer = MemoryFrameBuffer(max_buffer_size_mb=4)
    assert buffer.limit == 4 * MB
    frame = np.arange(24, dtype=np.uint16).reshape(2, 3, 4)
    assert buffer.add_frame(7, frame)
    assert buffer.get_frame(7) is frame
    assert buffer.get_frame(8) is None
    assert buffer.memory_usage == 48
    assert len(buffer) == 1
    assert 7 in buffer
    seen = weakref.ref(frame)
    del frame
    gc.collect()
    assert seen() is not None
    assert buffer.release_frame(7)
    assert seen() is None
    assert buffer.memory_usage == 0
    assert not buffer.release_frame(7)
    assert buffer.peak_memory_usage == 48
    assert MemoryFrameBuffer().limit == 1024 * MB


def test_what_would_pass_the_limit_is_not_kept() -> None:
    buffer = MemoryFrameBuffer(2)
    assert buffer.add_frame(0, _frame(1.5))
    late = _frame(0.6)
    assert not buffer.add_frame(1, late)
    assert not buffer.add_frame(2, _frame(2.5), wait=60)  # never: no waiting
    assert len(buffer) == 1
    assert buffer.get_frame(1) is None
    assert buffer.add_frame(1, _frame(0.5))  # to the byte
    assert buffer.memory_usage == buffer.limit
    assert not buffer.add_frame(3, _frame(1 / MB))
    buffer.release_frame(0)
    assert buffer.add_frame(3, late)


def test_a_view_counts_as_what_it_keeps_alive() -> None:
    buffer = MemoryFrameBuffer(2)
    whole = _frame(3)
    assert not buffer.add_frame(0, whole[:10])
    assert buffer.add_frame(0, whole[:10].copy())
    torch = pytest.importorskip("torch")
    tensor = torch.zeros(3, MB, dtype=torch.uint8)
    assert not buffer.add_frame(1, tensor[0])
    assert buffer.add_frame(1, tensor[0].clone())
    assert buffer.memory_usage == MB + 10


def test_what_cannot_work_is_refused() -> None:
    buffer = MemoryFrameBuffer(1)
    buffer.add_frame(0, _frame(0.1))
    with pytest.raises(ConfigError, match="frame 0 is in the buffer"):
        buffer.add_frame(0, _frame(0.1))
    assert buffer.memory_usage == _frame(0.1).nbytes
    with pytest.raises(TypeError, match="array"):
        buffer.add_frame(1, "a frame")
    with pytest.raises(TypeError):
        buffer.add_frame("one", _frame(0.1))  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="wait"):
        buffer.add_frame(1, _frame(0.1), wait=-1)
    for size in (0, -1, float("nan"), 1 << 21):
        with pytest.raises(ConfigError, match="max_buffer_size_mb"):
            MemoryFrameBuffer(size)


def test_waiting_ends_when_another_thread_releases() -> None:
    buffer = MemoryFrameBuffer(1)
    assert buffer.add_frame(0, _frame())
    began = threading.Event()
    kept: list[bool] = []

    def add() -> None:
        began.set()
        kept.append(buffer.add_frame(1, _frame(), wait=600))

    thread = threading.Thread(target=add)
    thread.start()
    began.wait()
    assert buffer.release_frame(0)  # this thread goes on meanwhile: the GIL is free
    thread.join()
    assert kept == [True]
    assert not buffer.add_frame(2, _frame(), wait=0.01)


def test_many_threads_never_pass_the_limit() -> None:
    buffer = MemoryFrameBuffer(4)
    problems: list[str] = []

    def work(thread: int) -> None:
        for i in range(200):
            number = 1000 * thread + i
            frame = _frame(0.25 + (i % 8) / 8)
            frame[0] = thread
            if not buffer.add_frame(number, frame, wait=600):
                problems.append("not kept")
            if buffer.memory_usage > buffer.limit:
                problems.append("over the limit")
            kept = buffer.get_frame(number)
            if kept is None or kept[0] != thread:
                problems.append("another frame")
            buffer.release_frame(number)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert buffer.memory_usage == 0
    assert 0 < buffer.peak_memory_usage <= buffer.limit


_steps = st.lists(
    st.tuples(st.sampled_from(["add", "get", "release"]), st.integers(0, 5), st.integers(0, 600)),
    max_size=60,
)


@settings(max_examples=100)
@given(_steps, st.integers(1, 1500))
def test_it_is_a_dictionary_with_a_limit(steps: list[tuple[str, int, int]], kilobytes: int) -> None:
    buffer = MemoryFrameBuffer(kilobytes / 1024)
    model: dict[int, np.ndarray[tuple[int, ...], np.dtype[np.uint8]]] = {}
    for step, number, size in steps:
        held = sum(frame.nbytes for frame in model.values())
        if step == "add" and number not in model:
            frame = np.full(size * 1024, number, np.uint8)
            fits = held + frame.nbytes <= buffer.limit
            assert buffer.add_frame(number, frame) == fits
            if fits:
                model[number] = frame
        elif step == "get":
            assert buffer.get_frame(number) is model.get(number)
        elif step == "release":
            assert buffer.release_frame(number) == (model.pop(number, None) is not None)
        assert buffer.memory_usage == sum(frame.nbytes for frame in model.values())
        assert len(buffer) == len(model)
        assert buffer.memory_usage <= buffer.limit
