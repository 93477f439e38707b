"""A network file (docs/network-format.md) as a torch module: the engines' reference."""

from __future__ import annotations

import json
import os
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn
from torch.nn import functional


class TorchNetwork(nn.Module):
    """Purpose: the layer list of a network file, applied in torch.

    Thread-safety: that of a torch module in eval mode. Ownership: its own copy of the weights.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__()
        with safe_open(os.fspath(path), framework="pt") as file:
            self.description: dict[str, Any] = json.loads(file.metadata()["streamvsr"])
            # Dots in names are not allowed in a parameter's name.
            self.weights = nn.ParameterDict(
                {
                    name.replace(".", "_"): nn.Parameter(
                        file.get_tensor(name).float(), requires_grad=False
                    )
                    for name in file.keys()  # noqa: SIM118  (not a dict)
                }
            )
        if self.description["format"] != 1:
            raise ValueError(
                f"{path}: description format {self.description['format']} is not known"
            )
        self.layers: list[dict[str, Any]] = self.description["layers"]
        self.scale = int(self.description["scale"])
        self.eval()

    def _weight(self, layer: dict[str, Any], key: str) -> Tensor:
        found: Tensor = self.weights[str(layer[key]).replace(".", "_")]
        return found

    def input_stack(self, frame: Tensor, codec_strength: float) -> Tensor:
        """The input channels for frame, shape (N, planes, H, W), values 0..1."""
        constant = torch.full_like(frame[:, :1], codec_strength)
        parts = {"frame": frame, "codec_strength": constant}
        return torch.cat([parts[name] for name in self.description["inputs"]], dim=1)

    def forward(self, frame: Tensor, codec_strength: float = 0.0) -> Tensor:
        """The enhanced picture, shape (N, planes, H * scale, W * scale), not clamped."""
        stack = self.input_stack(frame, codec_strength)
        value = stack
        keep = {int(layer["from"]) for layer in self.layers if layer["op"] == "skip"}
        kept = {-1: stack}
        for index, layer in enumerate(self.layers):
            value = self._apply_layer(layer, value, kept)
            if index in keep:
                kept[index] = value
        if self.description["residual"] == "nearest":
            value = value + functional.interpolate(frame, scale_factor=self.scale, mode="nearest")
        return value

    def _apply_layer(self, layer: dict[str, Any], value: Tensor, kept: dict[int, Tensor]) -> Tensor:
        op = layer["op"]
        if op in ("conv3x3", "conv1x1"):
            weight, bias = self._weight(layer, "weight"), self._weight(layer, "bias")
            return functional.conv2d(value, weight, bias, padding=weight.shape[-1] // 2)
        if op == "relu":
            return functional.relu(value)
        if op == "leaky_relu":
            return functional.leaky_relu(value, float(layer["slope"]))
        if op == "prelu":
            return functional.prelu(value, self._weight(layer, "weight"))
        if op == "skip":
            return value + kept[int(layer["from"])]
        if op == "pixel_shuffle":
            return functional.pixel_shuffle(value, int(layer["factor"]))
        raise ValueError(f"layer {op!r} is not known")


def torch_network(path: str | os.PathLike[str]) -> TorchNetwork:
    """Loads a network file; float32, on the CPU, no gradients."""
    return TorchNetwork(path)


def to_codes(picture: Tensor, depth: int = 8) -> Tensor:
    """round(clamp(x, 0, 1) * (2^depth - 1)), ties to even; the dtype stays."""
    codes: Tensor = (picture.clamp(0, 1) * (2**depth - 1)).round()
    return codes
