"""Files that a user asks for beside videos: written whole, and never over another unasked."""

from __future__ import annotations

import os

from streamvsr.errors import OutputError, OutputExistsError


def refuse_file(path: str, overwrite: bool) -> None:
    """Raises what write_file() would raise for what is there before the work.

    Args:
        path: Where the file is to go.
        overwrite: A file that is there may be replaced.

    Raises:
        OutputExistsError: Something is there, and it may not or cannot be replaced.
        OutputError: The folder is not there or cannot be written.
    """
    folder = os.path.dirname(path) or "."
    if not path or path.endswith(os.sep) or os.path.isdir(path):
        raise OutputExistsError(f"{path!r} is a folder: give a file's name", path)
    if not overwrite and os.path.lexists(path):
        raise OutputExistsError(
            f"{path!r} exists already; give another name, or overwrite=True (--overwrite)", path
        )
    if not os.path.isdir(folder):
        raise OutputError(f"the folder {folder!r} does not exist; create it first", folder)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"the folder {folder!r} is not writable", folder)


def write_file(path: str, data: bytes, overwrite: bool) -> None:
    """Writes a file at once; it is whole or it is not there.

    Args:
        path: Where it goes.
        data: All of it.
        overwrite: A file that is there is replaced.

    Raises:
        OutputExistsError: Something is there, and it may not be replaced.
        OutputError: The system refused.
    """
    refuse_file(path, overwrite)
    written = f"{path}.{os.getpid()}.tmp" if overwrite else path
    try:
        with open(written, "xb") as file:
            try:
                file.write(data)
                file.flush()
            except BaseException:
                os.unlink(written)
                raise
        if overwrite:
            os.replace(written, path)
    except FileExistsError as error:
        raise OutputExistsError(f"{written!r} exists already", written) from error
    except OSError as error:
        raise OutputError(
            f"cannot write {path!r}: {error.strerror}", path, error.errno or 0
        ) from error
