"""What a network reads and writes at each step: one class per track, as one-hot vectors or as the bits of a drum class.

`vocab_sizes` is the number of classes of each track: (90,) for a melody, (512,) for drums, (90, 90, 512) for a trio of
melody, bass and drums. With one track, tokens have the shape `[batch, steps]`; with several, `[batch, steps, tracks]`.
Logits lie side by side on the last axis, `[batch, steps, sum(vocab_sizes)]`, in the order of the tracks.

Chapter: 08. Source: Roberts et al. 2018, sections 3 and 5, and the public reference implementation.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

DRUM_CLASSES = 9  # kick, snare, closed hat, open hat, low, mid and high tom, crash, ride: bit i is class i


def split_tracks(tokens: Tensor, vocab_sizes: Sequence[int]) -> list[Tensor]:
    """`[..., steps]` (one track) or `[..., steps, tracks]` -> a list of `[..., steps]`, one for each track.

    Raises ValueError where the last axis is not one token for each of several tracks.
    """
    if len(vocab_sizes) == 1:
        return [tokens]
    if tokens.shape[-1] != len(vocab_sizes):
        raise ValueError(
            f"{len(vocab_sizes)} tracks need tokens [..., steps, {len(vocab_sizes)}], not {tuple(tokens.shape)}"
        )
    return list(tokens.unbind(-1))


def join_tracks(tracks: Sequence[Tensor]) -> Tensor:
    """The inverse of `split_tracks`."""
    return tracks[0] if len(tracks) == 1 else torch.stack(list(tracks), -1)


def one_hot(tokens: Tensor, vocab_sizes: Sequence[int], dtype: torch.dtype = torch.float32) -> Tensor:
    """Tokens `[..., steps]` or `[..., steps, tracks]` -> one-hot vectors side by side, `[..., steps, classes]`.

    The class after a track's last one is the start-of-sequence input (see `shift_right`), all zeros.
    """
    tracks = split_tracks(tokens, vocab_sizes)
    # A look-up in the identity is several times faster than torch's one_hot, which goes through 64-bit integers.
    identities = [torch.eye(classes + 1, classes, dtype=dtype, device=tokens.device) for classes in vocab_sizes]
    return torch.cat([identity[track.long()] for identity, track in zip(identities, tracks, strict=True)], -1)


def drum_bits(tokens: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """Drum classes `[..., steps]` -> `[..., steps, 10]`: a bit for each of nine drums, and one for none."""
    bits = (tokens.long().unsqueeze(-1) >> torch.arange(DRUM_CLASSES, device=tokens.device)) & 1
    none = (tokens == 0).unsqueeze(-1)
    return torch.cat([bits, none], -1).to(dtype)


def shift_right(tokens: Tensor, vocab_sizes: Sequence[int]) -> Tensor:
    """Tokens `[batch, steps]` or `[batch, steps, tracks]` one step later: each step finds the token before it.

    The first step finds the start-of-sequence input: the class after each track's last one, read as all zeros.
    """
    start = start_of_sequence(vocab_sizes, tokens.device)
    return torch.cat([start.expand(tokens[:, :1].shape), tokens[:, :-1].long()], 1)


def start_of_sequence(vocab_sizes: Sequence[int], device: torch.device) -> Tensor:
    """The start-of-sequence input as tokens of one step: `[]`, or `[tracks]` with several tracks."""
    return torch.tensor(vocab_sizes if len(vocab_sizes) > 1 else vocab_sizes[0], device=device)


def with_control(inputs: Tensor, control: Tensor | None, depth: int) -> Tensor:
    """`[batch, steps, inputs]` with a control signal `[batch, steps, depth]` beside it at each step.

    Raises ValueError where the control signal is missing, has another shape, or is not expected at all (depth 0).
    """
    if (control is None) == (depth == 0) and (control is None or control.shape == (*inputs.shape[:2], depth)):
        return inputs if control is None else torch.cat([inputs, control.to(inputs)], -1)
    wanted = f"a control signal {[*inputs.shape[:2], depth]}" if depth else "no control signal"
    got = "none" if control is None else f"{list(control.shape)}"
    raise ValueError(f"this model takes {wanted}, and was given {got}")
