"""The laboratory over acomp, iaa_emulator and zswap, which never import it."""

__all__: list[str] = []
