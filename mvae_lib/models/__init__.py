"""The models, one file per paper: MusicVAE and the feed-forward models of the first chapters."""

from mvae_lib._lazy import lazy_names

__getattr__, __all__ = lazy_names(
    __name__,
    {
        "autoencoder": ["VAE", "Autoencoder", "AutoencoderConfig"],
        "config": ["Configuration", "ModelConfig", "TrainingConfig", "get_config", "list_configs"],
        "latent_model": ["LatentModel"],
        "musicvae": ["MusicVAE", "count_parameters"],
        "posterior": ["Posterior", "reparameterize"],
        "interpolate": ["lerp", "slerp"],
    },
)
