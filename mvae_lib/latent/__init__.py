"""Tools for the latent space: interpolation, attribute vectors, latent constraints."""

from mvae_lib._lazy import lazy_names

__getattr__, __all__ = lazy_names(
    __name__,
    {
        "interpolation": [
            "Interpolation",
            "encode_all",
            "from_map",
            "latent_grid",
            "latent_plane",
            "lerp",
            "piecewise_path",
            "slerp",
        ],
    },
)
