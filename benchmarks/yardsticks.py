"""Reference rates for a time: the machine's plain matrix products and copies, and what a model computes and reads.

The count of operations is that of the model as the paper writes it, with one-hot vectors and z among the inputs of
every step, whoever computes it. So a formulation that needs fewer can show more than all of the machine's rate.
"""

import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from mvae_lib.models.decoders import FlatDecoder
from mvae_lib.models.musicvae import MusicVAE

BACKWARD = 2  # the backward pass has two products for each one of the forward pass


def seconds(call: Callable[[], object], device: torch.device, calls: int = 1) -> float:
    """Seconds of each of `calls` calls; on a GPU up to the end of its work.

    On one CPU thread it is process time, which does not count what other programs take; else it is wall time.
    """
    clock = time.process_time if device.type == "cpu" and torch.get_num_threads() == 1 else time.perf_counter
    wait(device)
    start = clock()
    for _ in range(calls):
        call()
    wait(device)
    return (clock() - start) / calls


def milliseconds(value: float) -> str:
    """Seconds as milliseconds, to three digits."""
    return f"{1000 * value:,.0f}" if value >= 0.1 else f"{1000 * value:.3g}"


def wait(device: torch.device) -> None:
    """Wait until the device has finished its work; a CPU always has."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def matrix_rate(device: torch.device, dtype: torch.dtype) -> float:
    """Operations per second of a large square matrix product on random numbers: the best of ten."""
    n = 8192 if device.type == "cuda" else 1024
    a, b = (torch.randn(n, n, device=device).to(dtype) for _ in range(2))
    return 2 * n**3 / _best(lambda: a @ b, device)


def copy_rate(device: torch.device) -> float:
    """Bytes per second of a large copy within the device's memory, read and written: the best of ten."""
    source = torch.empty(2**30 if device.type == "cuda" else 2**26, dtype=torch.uint8, device=device).fill_(1)
    target = torch.empty_like(source)
    return 2 * source.numel() / _best(lambda: target.copy_(source), device)


def _best(call: Callable[[], object], device: torch.device) -> float:
    for _ in range(3):
        call()
    return min(seconds(call, device) for _ in range(10))


def decoding_operations(model: MusicVAE) -> int:
    """Operations for decoding one sequence: two for each weight that it meets, at each step."""
    return 2 * sum(uses * numbers for uses, numbers in _decoder_reads(model))


def training_operations(model: MusicVAE) -> int:
    """Operations for one sequence's part in a training step: encoder and decoder, forward and backward."""
    encoder = model.encoder
    once = encoder.mu.weight.numel() + encoder.sigma.weight.numel()
    forward = 2 * (model.config.steps * _kernels(encoder.lstm) + once) + decoding_operations(model)
    return (1 + BACKWARD) * forward


def weights_read(model: MusicVAE) -> int:
    """How many numbers are read while a sequence is decoded, if each step reads the weights that it needs once."""
    return sum(uses * numbers for uses, numbers in _decoder_reads(model))


def _decoder_reads(model: MusicVAE) -> list[tuple[int, int]]:
    """(times used, numbers) of the decoder's matrices."""
    config, decoder = model.config, model.decoder
    if not config.hierarchical:
        return _flat_reads(decoder, config.steps, 1)
    reads = [
        (1, decoder.start.linear.weight.numel()),
        (config.bars, _kernels(decoder.conductor)),
        _projections(decoder.z_projections),
    ]
    for core in decoder.cores:
        reads += _flat_reads(core, config.steps, config.bars)
    return reads


def _flat_reads(decoder: FlatDecoder, steps: int, starts: int) -> list[tuple[int, int]]:
    each_step = _kernels(decoder.lstm) + decoder.output.weight.numel()
    return [(starts, decoder.start.linear.weight.numel()), (steps, each_step), _projections(decoder.z_projections)]


def _projections(projections: Tensor | None) -> tuple[int, int]:
    return (1, 0 if projections is None else projections.numel())


def _kernels(lstm: nn.LSTM) -> int:
    return sum(weight.numel() for name, weight in lstm.named_parameters() if name.startswith("weight"))
