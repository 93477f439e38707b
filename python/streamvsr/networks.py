"""Networks that are objects of Python's: torch modules, and functions on tensors."""

from __future__ import annotations

import hashlib
import io
import re
import sys
import warnings
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from streamvsr.errors import ConfigError, ModelError

if TYPE_CHECKING:
    import torch

_QUALIFIED = re.compile(rb"__torch__(?:\.\w+)+")
_PICKLED = re.compile(rb"(__torch__(?:\.\w+)*)\n(\w+)\n")  # a class by its module and name
# Constants of a class, which torch writes in the order of a set.
_FINAL = re.compile(rb"(?:^  \w+ : Final\[[^\n]*\n)+", re.MULTILINE)
_MANGLED = re.compile(rb"___torch_mangle_(\d+)\.")
# Members of an archive that change from one saving to the next: line numbers, trial inputs.
_PASSING = re.compile(r"\.debug_pkl$|/traced_inputs|/\.data/")


@dataclass(frozen=True)
class ModuleArchive:
    """A torch module as a TorchScript archive.

    Attributes:
        name: Of the module's class.
        identity: The same for the same code and weights, in every process.
        data: The archive.
    """

    name: str
    identity: str
    data: bytes


def is_module(model: object) -> bool:
    """True for a torch.nn.Module; torch is not imported for it."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(model, torch.nn.Module)


def model_name(model: object) -> str:
    """What people call a network that is an object."""
    if is_module(model):
        return getattr(model, "original_name", type(model).__name__)
    return str(getattr(model, "__qualname__", type(model).__name__))


def archive_module(module: torch.nn.Module) -> ModuleArchive:
    """Scripts a module, or where that fails traces it, in evaluation mode; it stays as it was.

    Raises:
        ModelError: Neither is possible.
    """
    import torch

    name = model_name(module)
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            scripted = _script(module, name)
            buffer = io.BytesIO()
            torch.jit.save(scripted, buffer)
    finally:
        for part, training in modes:
            part.training = training
    data = buffer.getvalue()
    return ModuleArchive(name, f"module {name}, {archive_identity(data)}", data)


def _script(module: torch.nn.Module, name: str) -> Any:
    import torch

    if isinstance(module, torch.jit.ScriptModule):
        return module
    try:
        return torch.jit.script(module)
    except Exception as error:
        reason = error
    for planes in (1, 3):
        for factor in (1, 2):
            picture = torch.rand(1, planes, 32 * factor, 32 * factor)
            weights = next(module.parameters(), picture)
            try:
                return torch.jit.trace(module, picture.to(weights.device, weights.dtype))  # type: ignore[no-untyped-call]
            except Exception:
                continue
    text = " ".join(str(reason).split())[:300]
    raise ModelError(
        f"the module {name!r} can be neither scripted nor traced on pictures (1, planes, height, "
        f"width); torch says: {text}. Give a function that calls it instead"
    )


def archive_identity(data: bytes) -> str:
    """A hash over an archive's code and weights, whatever torch named the classes this time."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {
            name.split("/", 1)[1]: archive.read(name)
            for name in archive.namelist()
            if not _PASSING.search(name)
        }
    variants: dict[bytes, set[int]] = {}
    texts = {
        name: _FINAL.sub(_in_order, _PICKLED.sub(rb"\1.\2\n", text))
        for name, text in members.items()
        if name.endswith((".py", ".pkl"))
    }
    for text in texts.values():
        for found in _QUALIFIED.findall(text):
            base, number = _split(found)
            variants.setdefault(base, set()).add(number)
    ranks = {base: sorted(numbers) for base, numbers in variants.items()}

    def canonical(match: re.Match[bytes]) -> bytes:
        base, number = _split(match.group())
        return b"%s#%d" % (base, ranks[base].index(number))

    parts = sorted(
        hashlib.sha256(
            # The names of code files are torch's; those of the weights count them.
            (b"" if name.endswith(".py") else name.encode() + b"\0")
            + (_QUALIFIED.sub(canonical, texts[name]) if name in texts else text)
        ).digest()
        for name, text in members.items()
    )
    return hashlib.sha256(b"".join(parts)).hexdigest()


def _in_order(lines: re.Match[bytes]) -> bytes:
    return b"".join(sorted(lines.group().splitlines(keepends=True)))


def _split(qualified: bytes) -> tuple[bytes, int]:
    """A class's name without what torch put in to tell it from others, and that number."""
    number = -1
    for found in _MANGLED.findall(qualified):
        number = int(found)
    return _MANGLED.sub(b"", qualified), number


def tensor_function(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A function on tensors as the core calls it: DLPack capsules in and out."""
    import torch
    from torch.utils import dlpack

    def call(capsule: Any) -> Any:
        given = dlpack.from_dlpack(capsule)
        result = function(given)
        if not isinstance(result, torch.Tensor):
            raise TypeError(f"it gives a {type(result).__name__}, not a torch tensor")
        return dlpack.to_dlpack(result.detach())  # type: ignore[attr-defined]

    return call


def described(options: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration's options fit for JSON: an object as network is told by its name."""
    values = dict(options)
    if callable(values.get("model")):
        values["model"] = f"python:{model_name(values['model'])}"
    return values


def check_object(model: object, model_id: str | None) -> None:
    """Refuses what cannot be a network, and a model_id where it has no meaning."""
    if model_id is not None and (not callable(model) or is_module(model)):
        raise ConfigError("model_id has a meaning for a function as model only; leave it out")
