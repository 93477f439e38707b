"""Every error is a StreamvsrError and the builtin it resembles."""

from __future__ import annotations

import errno
import pickle

import pytest
import streamvsr
from streamvsr import errors

KINDS: list[tuple[type[errors.StreamvsrError], type[Exception]]] = [
    (errors.InputNotFoundError, FileNotFoundError),
    (errors.InputError, ValueError),
    (errors.DamagedInputError, errors.InputError),
    (errors.ConfigError, ValueError),
    (errors.OutputExistsError, FileExistsError),
    (errors.OutputError, OSError),
    (errors.OutputBusyError, BlockingIOError),
    (errors.OutputBusyError, errors.OutputError),
    (errors.ResumeError, ValueError),
    (errors.MemoryLimitError, MemoryError),
    (errors.ModelError, ValueError),
    (errors.MissingToolError, ImportError),
    (errors.StoppedError, RuntimeError),
    (errors.InternalError, RuntimeError),
]


@pytest.mark.parametrize(("kind", "builtin"), KINDS)
def test_an_error_carries_what_it_knows(
    kind: type[errors.StreamvsrError], builtin: type[Exception]
) -> None:
    error = kind("cannot write 'a.mp4'", "a.mp4", errno.ENOSPC)
    assert isinstance(error, builtin)
    assert isinstance(error, errors.StreamvsrError)
    assert str(error) == error.message == "cannot write 'a.mp4'"
    assert (error.path, error.code) == ("a.mp4", errno.ENOSPC)
    if isinstance(error, OSError):
        assert (error.errno, error.filename) == (errno.ENOSPC, "a.mp4")
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.message, again.path, again.code) == (
        kind, error.message, error.path, error.code,
    )  # fmt: skip


def test_nothing_known_is_none() -> None:
    error = errors.OutputError("cannot write")
    assert (error.path, error.code, error.errno, error.filename) == (None, 0, None, None)
    assert errors.InputError("no video", "").path is None


@pytest.mark.parametrize("kind", [kind for kind, _ in KINDS])
def test_every_error_is_exported(kind: type[errors.StreamvsrError]) -> None:
    assert getattr(streamvsr, kind.__name__) is kind
    assert kind.__name__ in streamvsr.__all__
