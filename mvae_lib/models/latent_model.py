"""What every model with a latent vector offers: encode, decode, sample, reconstruct, interpolate.

Arrays, tensors and lists are taken alike, one example or a batch; what does not fit the model is refused in one
sentence. One example in gives one example out: tokens `[steps]` -> mu `[z]` -> tokens `[steps]`.

Chapter: 02 on.
"""

from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from mvae_lib.models.generate import Sampler, make_sampler
from mvae_lib.models.interpolate import lerp, slerp
from mvae_lib.models.posterior import Posterior

Tokens = ArrayLike | Tensor  # [steps] or [batch, steps]; of several tracks [steps, tracks] or [batch, steps, tracks]
PATHS: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {"slerp": slerp, "lerp": lerp}


class Output(NamedTuple):
    """What a pass over a batch gives: all that the objectives ask for."""

    logits: Tensor  # [batch, steps, classes]
    posterior: Posterior  # mu and sigma, each [batch, z]
    z: Tensor  # [batch, z], the sample that the logits were decoded from


class LatentModel(nn.Module):
    """A model of one of the classes in `training.checkpoints`: its own part is `posterior`, `logits` and `generate`.

    A control signal (`control=`) is given if, and only if, the configuration has one: `[steps, depth]` of one example,
    `[batch, steps, depth]`, or `[depth]`/`[batch, depth]` where it is the same at every step (a label). Generators live
    on the model's device; None is torch's own.
    """

    config: Any
    batch_size: ClassVar[int] = 1024  # examples decoded together, for bounded memory: more are hardly faster

    def posterior(self, tokens: Tensor, control: Tensor | None = None) -> Posterior:
        """q(z | x) of a batch that has been checked: mu and sigma, each `[batch, z]`."""
        raise NotImplementedError

    def logits(self, z: Tensor, tokens: Tensor | None = None, control: Tensor | None = None) -> Tensor:
        """log p(x | z) up to a constant: `[batch, steps, classes]` from z `[batch, z]`, under teacher forcing."""
        raise NotImplementedError

    def generate(self, z: Tensor, sampler: Sampler, steps: int, control: Tensor | None = None) -> Tensor:
        """z `[batch, z]` -> tokens, each step on the model's own tokens before it."""
        raise NotImplementedError

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return next(self.parameters()).device

    def encode(self, tokens: Tokens, control: Tokens | None = None) -> Posterior:
        """q(z | x): mu and sigma, each `[batch, z]`, or `[z]` for one example.

        Raises ValueError or TypeError for tokens that this model cannot read, and for a control signal that it cannot.
        """
        batch, single = check_tokens(tokens, self.config, self.device)
        posterior = self.posterior(batch, check_control(control, len(batch), self.config, self.device))
        return posterior[0] if single else posterior

    @torch.no_grad()
    def decode(
        self,
        z: ArrayLike | Tensor,
        *,
        temperature: float | None = None,
        top_p: float | None = None,
        generator: torch.Generator | None = None,
        steps: int | None = None,
        control: Tokens | None = None,
    ) -> Tensor:
        """z `[batch, z]` (or `[z]`) -> tokens, each step on the model's own tokens before it.

        Greedy decoding (argmax) unless a `temperature` is given, or a probability mass `top_p`; then each step is
        sampled. `steps`: None, as configured. Raises ValueError for what does not fit the model.
        """
        z, single = check_latent(z, self.config, self.device)
        sampler = make_sampler(temperature, top_p, generator)
        steps = self.config.steps if steps is None else steps
        control = check_control(control, len(z), self.config, self.device, steps)
        parts = z.split(self.batch_size)  # of no latent vectors, one part that is empty
        controls = [None] * len(parts) if control is None else control.split(self.batch_size)
        written = [self.generate(part, sampler, steps, own) for part, own in zip(parts, controls, strict=True)]
        tokens = torch.cat(written)
        return tokens[0] if single else tokens

    def sample(
        self, n: int, generator: torch.Generator | None = None, *, control: Tokens | None = None, **options: Any
    ) -> Tensor:
        """`n` examples decoded from latent vectors that are sampled from the prior N(0, I); options as of `decode`."""
        if n < 0:
            raise ValueError(f"the number of samples must be at least 0, not {n}")
        weight = next(self.parameters())
        z = torch.randn(n, self.config.z_size, generator=generator, device=weight.device, dtype=weight.dtype)
        return self.decode(z, generator=generator, control=control, **options)

    @torch.no_grad()
    def reconstruct(self, tokens: Tokens, control: Tokens | None = None, **options: Any) -> Tensor:
        """Tokens -> mu -> tokens, free-running: what the model remembers of each example; the same shape."""
        return self.decode(self.encode(tokens, control).mu, control=control, **options)

    @torch.no_grad()
    def interpolate(
        self, a: Tokens, b: Tokens, points: int = 7, path: str = "slerp", control: Tokens | None = None, **options: Any
    ) -> Tensor:
        """Tokens at `points` equally spaced places on the way from mu of `a` to mu of `b`, both ends included.

        `a`, `b`: one example each, `[steps]`. `path`: "slerp" (the arc) or "lerp" (the straight line). Returns
        `[points, steps]`. Raises ValueError for fewer than 2 points and for another path.
        """
        if points < 2:
            raise ValueError(f"an interpolation has at least 2 points, its two ends, not {points}")
        if path not in PATHS:
            raise ValueError(f"path must be one of {', '.join(PATHS)}, not {path!r}")
        ends = [self.encode(end, control).mu for end in (a, b)]
        if any(mu.ndim != 1 for mu in ends):
            raise ValueError(f"an interpolation leads from one example to one other, each {_shape(self.config)}")
        z = PATHS[path](*ends, torch.linspace(0, 1, points, device=self.device))
        if control is not None:
            control = torch.as_tensor(np.asarray(control)).expand(points, *np.shape(control))
        return self.decode(z, control=control, **options)


def check_tokens(tokens: Tokens, config: Any, device: torch.device, steps: int | None = None) -> tuple[Tensor, bool]:
    """(a batch of tokens on `device`, whether it was one example). Raises TypeError or ValueError: what would fit."""
    steps = config.steps if steps is None else steps
    tokens = torch.as_tensor(tokens if isinstance(tokens, Tensor) else np.asarray(tokens))
    if tokens.is_floating_point() or tokens.is_complex() or tokens.dtype == torch.bool:
        raise TypeError(f"tokens are whole numbers, not {tokens.dtype}")
    example = (steps,) if len(config.vocab_sizes) == 1 else (steps, len(config.vocab_sizes))
    single = tokens.shape == example
    if single:
        tokens = tokens[None]
    if tokens.shape[1:] != example:
        raise ValueError(f"this model reads tokens {_shape(config)}, one example or a batch, not {list(tokens.shape)}")
    columns = [tokens] if len(config.vocab_sizes) == 1 else tokens.unbind(-1)
    for classes, column in zip(config.vocab_sizes, columns, strict=True):
        if len(tokens) and not 0 <= int(column.min()) <= int(column.max()) < classes:
            found = f"{int(column.min())} to {int(column.max())}"
            raise ValueError(f"tokens must lie in 0 to {classes - 1}, and these lie in {found}")
    return tokens.to(device), single


def check_latent(z: ArrayLike | Tensor, config: Any, device: torch.device) -> tuple[Tensor, bool]:
    """(latent vectors `[batch, z]` on `device`, whether it was one). Raises ValueError for another shape or for NaN."""
    z = torch.as_tensor(z if isinstance(z, Tensor) else np.asarray(z, np.float32)).to(device)
    single = z.ndim == 1
    if z.ndim not in (1, 2) or z.shape[-1] != config.z_size:
        raise ValueError(
            f"this model decodes latent vectors [{config.z_size}] or [batch, {config.z_size}], not {list(z.shape)}"
        )
    z = z[None] if single else z
    if not z.isfinite().all():
        raise ValueError("a latent vector holds NaN or infinity; look at what computed it")
    return z, single


def check_control(
    control: Tokens | None, batch: int, config: Any, device: torch.device, steps: int | None = None
) -> Tensor | None:
    """The control signal as `[batch, steps, depth]`. Raises ValueError where it is missing, or not one that fits."""
    depth, steps = config.control, config.steps if steps is None else steps
    if (control is None) == (depth == 0):
        if control is None:
            return None
        signal = torch.as_tensor(control if isinstance(control, Tensor) else np.asarray(control)).float().to(device)
        if signal.shape == (batch, depth):
            signal = signal[:, None]
        if signal.shape in ((depth,), (steps, depth), (batch, 1, depth), (batch, steps, depth)):
            return signal.expand(batch, steps, depth)
        found = list(signal.shape)
    else:
        found = "none" if control is None else "one"
    wanted = f"a control signal [{batch}, {steps}, {depth}] or [{batch}, {depth}]" if depth else "no control signal"
    raise ValueError(f"this model takes {wanted}, and was given {found}")


def _shape(config: Any) -> str:
    tracks = len(config.vocab_sizes)
    return f"[{config.steps}]" if tracks == 1 else f"[{config.steps}, {tracks}]"
