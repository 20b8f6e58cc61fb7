"""Free-running decoding as one CUDA graph: the GPU then waits for no Python between two steps.

A step of a decoder is a dozen small kernels, and to launch them one by one takes longer than to run them. A graph is
recorded once, for one number of sequences, and then launched as a whole.

Chapter: 08. Source: PyTorch's documentation of `torch.cuda.CUDAGraph`.
"""

import torch
from torch import Tensor

from mvae_lib.models.generate import greedy
from mvae_lib.models.musicvae import MusicVAE

_WARM_UPS = 3  # libraries choose their kernels in the first calls, which must not be recorded


class GraphedDecoder:
    """`model.decode`, greedy, for a fixed number of sequences on a CUDA device.

    The recording reads the model's weights where they lie: a training step has effect at the next call, but a model
    that is moved, or loaded anew in other tensors, needs a new recording. Autocast is recorded as it is set.
    """

    def __init__(self, model: MusicVAE, sequences: int, steps: int | None = None):
        """Records `sequences` sequences of `steps` steps (None: as configured). Raises ValueError off a CUDA device."""
        weight = model.encoder.mu.weight
        if weight.device.type != "cuda":
            raise ValueError(f"a CUDA graph needs a model on a CUDA device, and this one is on {weight.device}")
        self.z = torch.zeros(sequences, model.config.z_size, dtype=weight.dtype, device=weight.device)
        self.graph, steps = torch.cuda.CUDAGraph(), model.config.steps if steps is None else steps
        dtype, enabled = torch.get_autocast_dtype("cuda"), torch.is_autocast_enabled("cuda")
        # Weights that autocast has kept from outside would be missing from the recording: so it keeps none.
        with torch.no_grad(), torch.cuda.device(weight.device), torch.autocast("cuda", dtype, enabled, False):
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                for _ in range(_WARM_UPS):
                    model.generate(self.z, greedy, steps)
            torch.cuda.current_stream().wait_stream(side)
            with torch.cuda.graph(self.graph):
                self.tokens = model.generate(self.z, greedy, steps)

    def __call__(self, z: Tensor) -> Tensor:
        """z `[sequences, z]` -> tokens, as `MusicVAE.decode`. Raises ValueError for another number of sequences."""
        if z.shape != self.z.shape:
            raise ValueError(f"this recording decodes z of shape {list(self.z.shape)}, not {list(z.shape)}")
        self.z.copy_(z)
        self.graph.replay()
        return self.tokens.clone()
