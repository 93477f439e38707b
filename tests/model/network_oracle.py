"""Networks as torch computes them, and network files: what the engines are held against."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

Plane = NDArray[Any]  # uint8 or uint16


@dataclass
class Net:
    """A network in memory: layers as docs/network-format.md has them, tensors by name."""

    layers: list[dict[str, Any]]
    tensors: dict[str, torch.Tensor]
    scale: int
    planes: str = "luma"
    inputs: list[str] = field(default_factory=lambda: ["frame"])
    residual: str = "nearest"

    @property
    def plane_count(self) -> int:
        return 3 if self.planes == "rgb" else 1

    def description(self) -> dict[str, Any]:
        return {
            "format": 1,
            "name": "test",
            "scale": self.scale,
            "planes": self.planes,
            "inputs": self.inputs,
            "range": "code",
            "residual": self.residual,
            "layers": self.layers,
            "trained_on": "nothing",
            "licence": "CC0-1.0",
        }


def container(description: object, tensors: dict[str, tuple[str, list[int], bytes]]) -> bytes:
    """A safetensors file from raw parts, so that tests can also make wrong ones."""
    header: dict[str, Any] = {"__metadata__": {"streamvsr": json.dumps(description)}}
    body = b""
    for name, (dtype, shape, data) in tensors.items():
        offsets = [len(body), len(body) + len(data)]
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": offsets}
        body += data
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def raw(tensor: torch.Tensor, dtype: str) -> tuple[str, list[int], bytes]:
    stored = tensor.to({"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}[dtype])
    data = stored.contiguous().view(torch.uint8).numpy().tobytes() if stored.numel() else b""
    return dtype, list(tensor.shape), data


def write(net: Net, path: Path, dtype: str = "F32") -> Path:
    path.write_bytes(
        container(net.description(), {k: raw(v, dtype) for k, v in net.tensors.items()})
    )
    return path


class Builder:
    """Collects layers; every convolution keeps the size of its values near 1."""

    def __init__(self, channels: int, seed: int) -> None:
        self.channels = [channels]  # of the input stack and of every layer
        self.layers: list[dict[str, Any]] = []
        self.tensors: dict[str, torch.Tensor] = {}
        self.random = torch.Generator().manual_seed(seed)

    def normal(self, *shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=self.random)

    def conv(self, out: int, size: int = 3, gain: float = 1.4, bias: float = 0.1) -> None:
        n = len(self.layers)
        fan = self.channels[-1] * size * size
        self.tensors[f"w{n}"] = self.normal(out, self.channels[-1], size, size) * gain / fan**0.5
        self.tensors[f"b{n}"] = self.normal(out) * bias
        op = "conv3x3" if size == 3 else "conv1x1"
        self.add({"op": op, "weight": f"w{n}", "bias": f"b{n}"}, out)

    def activation(self, kind: str) -> None:
        layer: dict[str, Any] = {"op": kind}
        if kind == "leaky_relu":
            layer["slope"] = 0.1
        if kind == "prelu":
            layer["weight"] = f"p{len(self.layers)}"
            # Every other network has slopes above 1 too, which take another way through the engine.
            most = 0.5 if self.random.initial_seed() % 2 else 1.5
            slope = torch.rand(self.channels[-1], generator=self.random) * most - 0.1
            self.tensors[layer["weight"]] = slope
        self.add(layer)

    def skip(self, source: int) -> None:
        self.add({"op": "skip", "from": source})

    def add(self, layer: dict[str, Any], channels: int | None = None) -> None:
        self.layers.append(layer)
        self.channels.append(self.channels[-1] if channels is None else channels)


def srvgg(
    channels: int,
    depth: int,
    *,
    scale: int = 2,
    planes: str = "luma",
    conditions: int = 0,
    activation: str = "prelu",
    seed: int = 1,
    last_gain: float = 0.2,
) -> Net:
    """The compact network of Real-ESRGAN: one convolution, `depth` in the body, one at the end."""
    count = 3 if planes == "rgb" else 1
    build = Builder(count + conditions, seed)
    build.conv(channels)
    build.activation(activation)
    for _ in range(depth):
        build.conv(channels)
        build.activation(activation)
    build.conv(count * scale * scale, gain=last_gain, bias=0.01)
    if scale > 1:
        build.add({"op": "pixel_shuffle", "factor": scale})
    inputs = ["frame"] + ["codec_strength"] * conditions
    return Net(build.layers, build.tensors, scale, planes, inputs)


def load(path: Path) -> Net:
    """A network file, read by the safetensors package."""
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        about = json.loads(file.metadata()["streamvsr"])
        tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
    return Net(
        about["layers"],
        tensors,
        about["scale"],
        about["planes"],
        about["inputs"],
        about["residual"],
    )


def stack(net: Net, planes: list[Plane], conditions: list[float], depth: int) -> torch.Tensor:
    """The input stack as a (1, C, H, W) tensor."""
    frame = torch.stack([torch.from_numpy(p.astype(np.float32)) for p in planes]) / (2**depth - 1)
    channels = []
    values = iter(conditions)
    for name in net.inputs:
        if name == "frame":
            channels.append(frame)
        else:
            channels.append(torch.full_like(frame[:1], next(values)))
    return torch.cat(channels)[None]


def reference(
    net: Net,
    planes: list[Plane],
    conditions: list[float] | None = None,
    depth: int = 8,
    *,
    bf16: bool = False,
    sizes: list[float] | None = None,
) -> NDArray[np.float32]:
    """The result's planes as (P, H * scale, W * scale) numbers before rounding.

    sizes: collects the largest size of every value that is rounded to bfloat16.

    bf16: weights, and every value that a convolution or a skip reads, are rounded to bfloat16;
    sums, biases and activations stay in float.
    """

    def rounded(t: torch.Tensor) -> torch.Tensor:
        if sizes is not None:
            sizes.append(float(t.abs().max()))
        return t.to(torch.bfloat16).float() if bf16 else t

    first = stack(net, planes, conditions or [], depth)
    outputs = [first]
    x = first
    for layer in net.layers:
        op = layer["op"]
        if op in ("conv3x3", "conv1x1"):
            x = functional.conv2d(
                rounded(x),
                rounded(net.tensors[layer["weight"]]),
                net.tensors[layer["bias"]],
                padding=1 if op == "conv3x3" else 0,
            )
        elif op == "relu":
            x = x.relu()
        elif op == "leaky_relu":
            x = functional.leaky_relu(x, layer["slope"])
        elif op == "prelu":
            x = functional.prelu(x, net.tensors[layer["weight"]])
        elif op == "skip":
            x = x + rounded(outputs[layer["from"] + 1])
        elif op == "pixel_shuffle":
            x = functional.pixel_shuffle(x, layer["factor"])
        outputs.append(x)
    if net.residual == "nearest":
        start = net.inputs.index("frame")
        frame = first[:, start : start + net.plane_count]
        x = x + frame.repeat_interleave(net.scale, 2).repeat_interleave(net.scale, 3)
    maximum = 2**depth - 1
    numbers: NDArray[np.float32] = (x[0].clamp(0, 1) * maximum).numpy()
    return numbers


def codes(numbers: NDArray[np.float32], depth: int) -> Plane:
    """Rounded to the nearest code, ties to even."""
    return np.rint(numbers).astype(np.uint8 if depth == 8 else np.uint16)


def noise(height: int, width: int, planes: int, depth: int, seed: int) -> list[Plane]:
    """Smooth shapes with noise on top, over the whole range of codes."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    result = []
    for plane in range(planes):
        wave = np.sin(x / (3 + plane)) * np.cos(y / (5 - plane)) * 0.4 + 0.5
        picture = wave + random.normal(0, 0.15, (height, width))
        code = np.rint(np.clip(picture, 0, 1) * (2**depth - 1))
        result.append(code.astype(np.uint8 if depth == 8 else np.uint16))
    return result
