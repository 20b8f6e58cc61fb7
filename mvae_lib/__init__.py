"""mvae_lib: MusicVAE and related models, written to be read.

    import mvae_lib as mv

    model = mv.load_pretrained("mel_2bar")
    a, b = mv.read_melody("a.mid", bars=2), mv.read_melody("b.mid", bars=2)
    mv.play(model.interpolate(a, b, 7))

`mvae_lib/README.md` has the map of the packages and says where to find what.
"""

from mvae_lib._lazy import lazy_names

__getattr__, __all__ = lazy_names(
    __name__,
    {
        "data.folk": ["folk_melodies"],
        "data.midi_folder": ["midi_folder"],
        "evaluation.metrics": ["evaluate", "fit_baselines"],
        "models.config": ["get_config", "list_configs"],
        "models.musicvae": ["MusicVAE"],
        "music.files": ["read_melody", "write_midi"],
        "music.engraving": ["score"],
        "pretrained": ["list_pretrained", "load_pretrained"],
        "training.checkpoints": ["load_model"],
        "training.fit": ["fit"],
        "widgets": ["play"],
    },
)
