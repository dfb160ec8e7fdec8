"""Each peer's own conversion of a PyTorch network, as its documentation shows it.

Every function takes the network and calibration images of shape (N, C, height, width), both on the device that is
to run it, and the number of timesteps T, and returns a function from such images to scores. All present the image
itself at every step and add up the outputs over T steps. Only the environment of a peer can run its function.
"""

from __future__ import annotations

import importlib.util
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

Scores = Callable[[Tensor], Tensor]
CALIBRATION_BATCH = 64


class Calibration:
    """The calibration images as batches with labels of zero, which no converter looks at."""

    def __init__(self, images: Tensor) -> None:
        self.images = images

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for batch in self.images.split(CALIBRATION_BATCH):
            yield batch, torch.zeros(len(batch), dtype=torch.long)

    def __len__(self) -> int:
        return -(-len(self.images) // CALIBRATION_BATCH)


def ann(network: nn.Module, images: Tensor, timesteps: int) -> Scores:
    """Run the network itself, in float32."""
    return network


def spikingjelly(network: nn.Module, images: Tensor, timesteps: int) -> Scores:
    """Convert by SpikingJelly's rate coding, thresholds at the 99.9th percentile; step by step.

    Source: Fang et al. 2023, doi:10.1126/sciadv.adi1480.
    """
    from spikingjelly.activation_based import ann2snn, functional

    recipe = ann2snn.RateCodingRecipe(dataloader=Calibration(images), mode="99.9%")
    snn = ann2snn.Converter(recipe=recipe).convert(network).to(images.device)

    def scores(x: Tensor) -> Tensor:
        functional.reset_net(snn)
        return _summed(snn, x, timesteps)

    return scores


def sinabs(network: nn.Module, images: Tensor, timesteps: int) -> Scores:
    """Convert by Sinabs' from_model with its defaults: threshold 1, several spikes in a step, no calibration."""
    from sinabs.from_torch import from_model

    snn = from_model(network, num_timesteps=timesteps).spiking_model.to(images.device)

    def scores(x: Tensor) -> Tensor:
        from sinabs.utils import reset_states

        reset_states(snn)
        return snn(x.repeat_interleave(timesteps, 0)).unflatten(0, (len(x), timesteps)).sum(1)

    return scores


def braincog(network: nn.Module, images: Tensor, timesteps: int) -> Scores:
    """Convert by BrainCog's Convertor with the settings of its example: burst spikes up to 5, 99th percentile.

    Source: Zeng et al. 2023, doi:10.1016/j.patter.2023.100789; Li & Zeng 2022, arXiv:2204.13271.
    """
    _skip_initialisation("braincog", "base", "base.connection")
    from braincog.base.conversion import Convertor

    batches = Calibration(images)
    snn = Convertor(
        dataloader=batches,
        device=str(images.device),
        p=0.99,
        lipool=True,
        gamma=5,
        soft_mode=True,
        batch_num=len(batches),
    )(network)

    def scores(x: Tensor) -> Tensor:
        snn.reset()
        return _summed(snn, x, timesteps)

    return scores


def _summed(snn: nn.Module, x: Tensor, timesteps: int) -> Tensor:
    total: Any = 0.0
    for _ in range(timesteps):
        total = total + snn(x)
    return total


def _skip_initialisation(package: str, *parts: str) -> None:
    """Import parts of a package without what their __init__ would import: here torchvision, timm and pygame."""
    spec = importlib.util.find_spec(package)
    assert spec is not None, f"{package} is not installed"
    (folder,) = spec.submodule_search_locations or ()
    for part in parts:
        module = types.ModuleType(f"{package}.{part}")
        module.__path__ = [str(Path(folder, *part.split(".")))]
        sys.modules[module.__name__] = module


CONVERSIONS: dict[str, Callable[[nn.Module, Tensor, int], Scores]] = {
    "ann": ann,
    "spikingjelly": spikingjelly,
    "sinabs": sinabs,
    "braincog": braincog,
}

NO_PADDING_LAYERS = ("spikingjelly",)  # the peers that refuse a network with nn.ZeroPad2d
