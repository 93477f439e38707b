"""Every failure streamvsr raises: one base class, and for each kind the builtin it also is.

The message is one sentence that says what is wrong and, where it can, how to change it.
"""

from __future__ import annotations


class StreamvsrError(Exception):
    """Base of every failure of streamvsr.

    Attributes:
        message: The sentence; also str(error).
        path: The file concerned, or None.
        code: errno, or 0.
    """

    def __init__(self, message: str, path: str | None = None, code: int = 0) -> None:
        """Makes a failure.

        Args:
            message: One sentence for the user.
            path: The file concerned; None or "" when none is.
            code: errno of the failing system call; 0 when the system was not involved.
        """
        super().__init__(message)
        self.message = message
        self.path = path or None
        self.code = code
        if isinstance(self, OSError):
            _fill_os_fields(self)

    def __str__(self) -> str:
        """The message, also for the kinds that are an OSError."""
        return self.message

    def __reduce__(self) -> tuple[type[StreamvsrError], tuple[str, str | None, int]]:
        """Pickles by the constructor's arguments."""
        return type(self), (self.message, self.path, self.code)


def _fill_os_fields(error: StreamvsrError) -> None:
    fields = {"errno": error.code or None, "strerror": error.message, "filename": error.path}
    for name, value in fields.items():
        setattr(error, name, value)


class InputNotFoundError(StreamvsrError, FileNotFoundError):
    """The input is not there."""


class InputError(StreamvsrError, ValueError):
    """The input cannot be used: no video in it, an unknown codec, a pipe, encryption."""


class DamagedInputError(InputError):
    """The input broke while it was read, and strict=True asked for an error."""


class ConfigError(StreamvsrError, ValueError):
    """A parameter, or a combination of them, that cannot work."""


class OutputExistsError(StreamvsrError, FileExistsError):
    """Something is already where the output should go, and overwrite=True was not given."""


class OutputError(StreamvsrError, OSError):
    """The system refused a read or a write; errno and filename are set."""


class OutputBusyError(OutputError, BlockingIOError):
    """Another process is writing the same output; the message names it where the system does."""


class ResumeError(StreamvsrError, ValueError):
    """What an interrupted run left cannot be gone on with; the message says why, and what can."""


class MemoryLimitError(StreamvsrError, MemoryError):
    """A memory budget cannot hold what is asked."""


class ModelError(StreamvsrError, ValueError):
    """A network file that cannot be used."""


class MissingToolError(StreamvsrError, ImportError):
    """A program or package that this needs is not there; the message says what to install."""


class StoppedError(StreamvsrError, RuntimeError):
    """stop() ended the run; its whole segments are kept, and the same call goes on with them."""


class InternalError(StreamvsrError, RuntimeError):
    """A broken promise of streamvsr itself: please report it."""
