"""Mixed precision where the processor can: matrix products in 16 bits, on a CPU in bfloat16.

Not every CPU can run PyTorch's LSTM in bfloat16: on x86 processors without AVX-512 (most laptops) oneDNN raises
"could not create a primitive descriptor". There is no dependable list of the processors that can, so a tiny LSTM is
run once, forward and backward. Where it fails, training continues in float32, after one warning.

Support does not imply speed. Without AMX, bfloat16 is often slower than float32 (`benchmarks/README.md`).

Chapter: 08.
"""

import functools
import warnings

import torch
from torch import nn

DTYPE = torch.bfloat16


@functools.cache
def cpu_autocast_supported() -> bool:
    """Whether an LSTM can be trained in bfloat16 on this CPU; tried out at the first call."""
    try:
        # The initial weights of this LSTM must not change the random numbers that the user's own seed gives.
        with torch.random.fork_rng(devices=[]), torch.enable_grad(), torch.autocast("cpu", DTYPE):
            lstm = nn.LSTM(2, 2)
            lstm(torch.zeros(1, 1, 2))[0].sum().backward()
    except RuntimeError:
        return False
    return True


def autocast_supported(device: torch.device | str) -> bool:
    """Whether `autocast` can be enabled on this device."""
    return torch.device(device).type != "cpu" or cpu_autocast_supported()


def autocast(device: torch.device | str, enabled: bool = True) -> torch.autocast:
    """A context in which matrix products run in bfloat16; without effect where not `enabled` or not supported.

    Where a CPU does not support it, one warning says so, once for each process.
    """
    supported = not enabled or autocast_supported(device)
    if not supported:
        _warn_once()
    return torch.autocast(torch.device(device).type, DTYPE, enabled=enabled and supported)


@functools.cache
def _warn_once() -> None:
    warnings.warn("this CPU cannot run an LSTM in bfloat16; the computation goes on in float32", stacklevel=3)
