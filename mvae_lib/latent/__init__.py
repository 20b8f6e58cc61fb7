"""Tools for the latent space: interpolation, attribute vectors, latent constraints."""

from mvae_lib.latent.interpolation import encode_all, from_map, lerp, slerp

__all__ = ["encode_all", "from_map", "lerp", "slerp"]
