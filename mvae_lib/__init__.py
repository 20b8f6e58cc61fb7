"""mvae_lib: the library behind the MusicVAE course (see mvae_lib/README.md)."""
