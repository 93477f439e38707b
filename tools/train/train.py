"""Trains the default network on pairs.npz and writes it as a network file (docs/network-format.md).

    python train.py WORK OUTPUT.safetensors [--steps 60000] [--resume]

One thread, bf16 arithmetic over fp32 weights, a running mean of the weights as the result.
WORK/train.pt keeps the state for `--resume`.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

WIDTH, BODY, SCALE = 32, 4, 2
PATCH, BATCH = 48, 16
JITTER = 2 / 51  # of the codec strength, where there is a codec
TRAINED_ON = (
    "30 photographs from Debian background packages as moving crops: blur, upscaling, noise and "
    "earlier compression, six halving kernels, then lossless, H.264 or HEVC at many rates"
)


class Net(nn.Module):
    """Luma x2, told the codec's strength: convolutions, ReLU, sub-pixels over repeated samples."""

    def __init__(self) -> None:
        """Random weights; the last layer small, so that training starts from the residual."""
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(2, WIDTH, 3, padding=1), nn.ReLU()]
        for _ in range(BODY):
            layers += [nn.Conv2d(WIDTH, WIDTH, 3, padding=1), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Conv2d(WIDTH, SCALE * SCALE, 3, padding=1))
        for layer in self.layers:
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        with torch.no_grad():
            self.layers[-1].weight.mul_(0.1)  # type: ignore[operator]

    def forward(self, frame: Tensor, strength: Tensor) -> Tensor:
        """(N, 1, H, W) in 0..1 and (N) to (N, 1, 2H, 2W)."""
        stack = torch.cat([frame, strength.view(-1, 1, 1, 1).expand_as(frame)], 1)
        stack = stack.contiguous(memory_format=torch.channels_last)
        detail = functional.pixel_shuffle(self.layers(stack).float(), SCALE)
        return detail + functional.interpolate(frame, scale_factor=float(SCALE), mode="nearest")


class Pairs:
    """Random batches of patches, flipped and turned."""

    def __init__(self, path: Path, seed: int) -> None:
        """Reads the whole file into memory."""
        with np.load(path) as data:
            self._low, self._high, self._strength = data["low"], data["high"], data["strength"]
        self._rng = np.random.default_rng(seed)

    def __len__(self) -> int:
        """How many pairs there are."""
        return len(self._low)

    def batch(self) -> tuple[Tensor, Tensor, Tensor]:
        """Low (N, 1, P, P) and high (N, 1, 2P, 2P) patches in 0..1 and the strengths (N)."""
        rng, room = self._rng, self._low.shape[1] - PATCH + 1
        picks = rng.integers(0, len(self._low), BATCH)
        low, high = [], []
        for pick in picks:
            y, x = rng.integers(0, room, 2)
            small = self._low[pick, y : y + PATCH, x : x + PATCH]
            large = self._high[pick, 2 * y : 2 * (y + PATCH), 2 * x : 2 * (x + PATCH)]
            turn = int(rng.integers(4))
            small, large = np.rot90(small, turn), np.rot90(large, turn)
            if rng.random() < 0.5:
                small, large = small[:, ::-1], large[:, ::-1]
            low.append(small)
            high.append(large)
        strength = self._strength[picks]
        shaken = np.clip(strength + rng.normal(0, JITTER, BATCH), 0.01, 1)
        strength = np.where(strength > 0, shaken, 0).astype(np.float32)
        return _tensor(low), _tensor(high), torch.from_numpy(strength)


def _tensor(patches: list[np.ndarray]) -> Tensor:
    return torch.from_numpy(np.stack(patches)).unsqueeze(1).float() / 255


def export(net: Net, path: Path) -> None:
    """Writes the network file with weights in F16."""
    tensors: dict[str, Tensor] = {}
    layers: list[dict[str, str | int]] = []
    for layer in net.layers:
        if isinstance(layer, nn.Conv2d):
            name = f"conv{len(tensors) // 2}"
            tensors[f"{name}.weight"] = layer.weight.detach().half().contiguous()
            tensors[f"{name}.bias"] = layer.bias.detach().half().contiguous()  # type: ignore[union-attr]
            layers.append({"op": "conv3x3", "weight": f"{name}.weight", "bias": f"{name}.bias"})
        else:
            layers.append({"op": "relu"})
    layers.append({"op": "pixel_shuffle", "factor": SCALE})
    description = {
        "format": 1,
        "name": "default_x2",
        "scale": SCALE,
        "planes": "luma",
        "inputs": ["frame", "codec_strength"],
        "range": "code",
        "residual": "nearest",
        "layers": layers,
        "trained_on": TRAINED_ON,
        "licence": "Apache-2.0",
    }
    save_file(tensors, path, {"streamvsr": json.dumps(description)})


def main() -> None:
    """Reads the command line, trains and exports."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("work", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--steps", type=int, default=60000)
    parser.add_argument("--rate", type=float, default=1.5e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--resume", action="store_true", help="from WORK/train.pt")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    pairs = Pairs(options.work / "pairs.npz", options.seed)
    net = Net()
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    mean = Net()
    mean.load_state_dict(net.state_dict())
    optimiser = torch.optim.Adam(net.parameters(), options.rate, betas=(0.9, 0.99))
    state_path, first = options.work / "train.pt", 0
    if options.resume:
        state = torch.load(state_path, weights_only=True)
        net.load_state_dict(state["net"])
        mean.load_state_dict(state["mean"])
        optimiser.load_state_dict(state["optimiser"])
        first = int(state["step"])
    print(f"{len(pairs)} pairs, {sum(p.numel() for p in net.parameters())} weights", flush=True)
    running, began = 0.0, time.process_time()
    for step in range(first, options.steps):
        warm = min(1.0, (step + 1) / 200)
        rate = options.rate * warm * (0.5 + 0.5 * math.cos(math.pi * step / options.steps)) + 1e-6
        for group in optimiser.param_groups:
            group["lr"] = rate
        low, high, strength = pairs.batch()
        with torch.autocast("cpu", torch.bfloat16):
            result = net(low, strength)
        loss = ((result - high).square() + 1e-5).sqrt().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        keep = min(0.999, (step - first + 1) / (step - first + 10))
        with torch.no_grad():
            for average, value in zip(mean.parameters(), net.parameters(), strict=True):
                average.lerp_(value, 1 - keep)
        running += (float(loss.detach()) - running) * max(0.0005, 1 / (step - first + 1))
        if (step + 1) % 2000 == 0 or step + 1 == options.steps:
            state = {
                "net": net.state_dict(),
                "mean": mean.state_dict(),
                "optimiser": optimiser.state_dict(),
            }
            torch.save(state | {"step": step + 1}, state_path)
            print(
                f"step {step + 1}: loss {running:.5f}, {time.process_time() - began:.0f} s",
                flush=True,
            )
    export(mean, options.output)


if __name__ == "__main__":
    main()
