"""Which network a job runs: the packaged ones by name, any other by path."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from streamvsr import _core
from streamvsr._names import unknown
from streamvsr.errors import ConfigError
from streamvsr.networks import archive_module, is_module, model_name, tensor_function

if TYPE_CHECKING:
    import torch

DEFAULT_MODEL = "default_x2"
NEAREST = "nearest"
TORCH_SUFFIXES = (".pt", ".ts")  # of TorchScript archives
_PACKAGE = Path(__file__).resolve().parent
_preload_lock = threading.Lock()
_preloaded: dict[str, ctypes.CDLL] = {}


@dataclass(frozen=True)
class Model:
    """A network as its file describes it (docs/network-format.md).

    Attributes:
        name: Short name.
        path: The .safetensors file.
        scale: Factor in both directions of one pass.
        planes: "luma" or "rgb".
        inputs: The input stack, in channel order.
        parameters: Count of weights.
        flops_per_pixel: Floating-point operations for one source pixel.
        trained_on: Data and degradations, one sentence.
        licence: SPDX expression of the weights.
    """

    name: str
    path: Path
    scale: int
    planes: str
    inputs: tuple[str, ...]
    parameters: int
    flops_per_pixel: float
    trained_on: str
    licence: str


@dataclass(frozen=True)
class ModelChoice:
    """What the core runs: network_path ("nearest" or a file), as often as passes says.

    passes is 0 for what torch runs, whose scale only running it tells: the core then counts.
    Instead of a file, a network may be an archive in memory or a function; network_path is its name
    then, and identity tells it from others, None where nothing does.
    """

    network_path: str
    passes: int
    identity: str | None = None
    archive: bytes | None = None
    function: Callable[[Any], Any] | None = None


def describe_model(path: str | os.PathLike[str]) -> Model:
    """Reads a network file's description. Raises ModelError where it cannot be used."""
    info = _core.network_info(os.fspath(path))
    return Model(
        name=info.name,
        path=Path(path),
        scale=info.scale,
        planes=info.planes,
        inputs=tuple(info.inputs),
        parameters=info.parameters,
        flops_per_pixel=float(info.flops_per_pixel),
        trained_on=info.trained_on,
        licence=info.licence,
    )


def packaged_models() -> list[Model]:
    """The networks that come with streamvsr, the default first."""
    found = [describe_model(path) for path in _weights().values()]
    return sorted(found, key=lambda model: (model.path.stem != DEFAULT_MODEL, model.path.stem))


def choose_model(model: str | os.PathLike[str] | None, scale: int) -> ModelChoice:
    """Finds the network for a model's name or path and how often it must run to reach scale.

    A TorchScript archive is not looked into here.

    Raises:
        ConfigError: The name is unknown, or no number of passes reaches the scale.
        ModelError: The file cannot be used.
    """
    if model == NEAREST:
        return ModelChoice(NEAREST, 1)
    path = find_model(model)
    if path.suffix in TORCH_SUFFIXES:
        return ModelChoice(os.fspath(path), 0)
    step = _core.network_info(os.fspath(path)).scale
    passes, reached = 1, step
    while reached < scale and step > 1:
        passes, reached = passes + 1, reached * step
    if reached != scale:
        reachable = ", ".join(str(step**n) for n in (1, 2, 3) if step > 1 or n == 1)
        raise ConfigError(
            f"the network {path.stem!r} enlarges by {step}: scale {scale} is out of its reach; "
            f"it can do {reachable}"
        )
    return ModelChoice(os.fspath(path), passes)


def choose_object(model: Callable[[Any], Any], model_id: str | None) -> ModelChoice:
    """The same for a network that is an object of Python's.

    Raises:
        ModelError: It is a module that cannot be made an archive.
    """
    if is_module(model):
        made = archive_module(cast("torch.nn.Module", model))
        return ModelChoice(made.name, 0, made.identity, made.data)
    name = model_name(model)
    identity = None if model_id is None else f"function {model_id}"
    return ModelChoice(name, 0, identity, function=tensor_function(model))


def is_path(model: str) -> bool:
    """True for a model given by its file's path, False for a name."""
    return model.endswith((".safetensors", *TORCH_SUFFIXES)) or os.sep in model


def microkernel_path() -> str:
    """The shared object with libtorch's microkernels, ready to be opened; "" without one."""
    return _with_libtorch("_brgemm.so", "libtorch_cpu.so")


def numeric_type(path: str | os.PathLike[str]) -> str:
    """The type that precision="auto" stands for on this machine: "bf16" or "fp32".

    Of a network file on the CPU engine. Takes some 100 ms where no earlier measurement is
    remembered. Raises ModelError where the file cannot be used.
    """
    return _core.rows_numeric_type(os.fspath(path), microkernel_path())


def torch_path() -> str:
    """The shared object that runs TorchScript, ready to be opened; "" without one."""
    return _with_libtorch("_torch.so", "libtorch.so")


def runs_on_torch(choice: ModelChoice, engine: str, device: str) -> bool:
    """Whether the torch engine may run a network; libtorch is not loaded to find out."""
    if choice.passes == 0 or engine != "auto":
        return choice.passes == 0 or engine == "torch"
    return device not in ("auto", "cpu") or (device == "auto" and _torch_has_accelerators())


def _torch_has_accelerators() -> bool:
    """Whether the installed torch was built for more than the CPU."""
    found = importlib.util.find_spec("torch")
    if found is None or not found.submodule_search_locations:
        return False
    folder = Path(next(iter(found.submodule_search_locations))) / "lib"
    return any((folder / f"libtorch_{name}.so").exists() for name in ("cuda", "hip", "xpu"))


def _with_libtorch(name: str, library: str) -> str:
    """A shared object of this package that needs a library of torch's.

    It finds libtorch beside this package. Where torch is installed elsewhere its library is opened
    first, without importing torch, which would cost some 200 MB.
    """
    wanted = _PACKAGE / name
    if not wanted.exists():
        return ""
    if (_PACKAGE.parent / "torch" / "lib" / library).exists():
        return os.fspath(wanted)
    found = importlib.util.find_spec("torch")
    if found is None or not found.submodule_search_locations:
        return ""
    path = Path(next(iter(found.submodule_search_locations))) / "lib" / library
    with _preload_lock:
        if library not in _preloaded:
            try:
                _preloaded[library] = ctypes.CDLL(os.fspath(path))
            except OSError:
                return ""
    return os.fspath(wanted)


def _weights() -> dict[str, Path]:
    return {path.stem: path for path in sorted((_PACKAGE / "weights").glob("*.safetensors"))}


def find_model(model: str | os.PathLike[str] | None) -> Path:
    """The file of a network by its packaged name or path; it need not be there.

    Raises:
        ConfigError: The name is unknown.
    """
    if model is None:
        model = DEFAULT_MODEL
    packaged = _weights()
    name = os.fspath(model)
    if isinstance(model, str) and name in packaged:
        return packaged[name]
    if is_path(name) or not isinstance(model, str):
        return Path(name)  # the core says what is wrong with it
    raise unknown("model", name, (*packaged, NEAREST))
