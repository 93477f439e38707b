"""Matroska files whose streams lie in another order than their times."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

_SEGMENT, _CLUSTER, _TIME, _SIMPLE, _GROUP, _BLOCK = 0x18538067, 0x1F43B675, 0xE7, 0xA3, 0xA0, 0xA1
_INFO, _TRACKS = 0x1549A966, 0x1654AE6B
_UNKNOWN = bytes.fromhex("01ffffffffffffff")


@dataclass(frozen=True)
class Block:
    """A packet as it lies in a cluster."""

    track: int  # 1-based, as the file numbers them
    time: int  # ms
    kind: int  # id of the element
    payload: bytes  # of the element, its time relative to its cluster


def _number(data: bytes, at: int, keep_marker: bool) -> tuple[int, int]:
    length = 9 - data[at].bit_length()
    value = data[at] if keep_marker else data[at] & ((1 << (8 - length)) - 1)
    return int.from_bytes(bytes([value]) + data[at + 1 : at + length], "big"), at + length


def _elements(data: bytes, at: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Id, start, payload's start and end of each element."""
    while at < end:
        start = at
        name, at = _number(data, at, True)
        unknown = data[at : at + 8] == _UNKNOWN
        size, at = _number(data, at, False)
        stop = end if unknown else at + size
        yield name, start, at, stop
        at = stop


def _element(name: int, payload: bytes) -> bytes:
    head = name.to_bytes((name.bit_length() + 7) // 8, "big")
    return head + (len(payload) | 1 << 56).to_bytes(8, "big") + payload


def _blocks(data: bytes, at: int, end: int) -> Iterator[Block]:
    base = 0
    for name, _, begin, stop in _elements(data, at, end):
        if name == _TIME:
            base = int.from_bytes(data[begin:stop], "big")
        if name not in (_SIMPLE, _GROUP):
            continue
        where = begin
        if name == _GROUP:
            where = next(b for n, _, b, _ in _elements(data, begin, stop) if n == _BLOCK)
        track, where = _number(data, where, False)
        time = base + int.from_bytes(data[where : where + 2], "big", signed=True)
        yield Block(track, time, name, data[begin:stop])


def reorder(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    key: Callable[[Block], tuple[int, int]],
) -> None:
    """Writes a Matroska file's packets in another order, each in a cluster of its own."""
    data = Path(source).read_bytes()
    head = blocks = b""
    found: list[Block] = []
    for name, start, begin, stop in _elements(data, 0, len(data)):
        if name != _SEGMENT:
            head += data[start:stop]
            continue
        for inner, first, inner_begin, inner_stop in _elements(data, begin, stop):
            if inner in (_INFO, _TRACKS):
                blocks += data[first:inner_stop]
            if inner == _CLUSTER:
                found += _blocks(data, inner_begin, inner_stop)
    with Path(target).open("wb") as file:
        file.write(head + _SEGMENT.to_bytes(4, "big") + _UNKNOWN + blocks)
        for block in sorted(found, key=key):
            payload = bytearray(block.payload)
            at = 0
            if block.kind == _GROUP:
                at = next(
                    b for n, _, b, _ in _elements(block.payload, 0, len(payload)) if n == _BLOCK
                )
            _, at = _number(block.payload, at, False)
            payload[at : at + 2] = b"\0\0"
            time = _element(_TIME, block.time.to_bytes(8, "big"))
            file.write(_element(_CLUSTER, time + _element(block.kind, bytes(payload))))
