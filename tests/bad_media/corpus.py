"""All the files that were made to do harm: ``corpus(folder)``, alike on every run."""

from collections.abc import Mapping
from pathlib import Path

from tests.bad_media import damage, films, names, papers, plain, riff, streams
from tests.bad_media.bad import Bad

SEED = 20261121
FILES = (
    *plain.FILES,
    *riff.FILES,
    *films.FILES,
    *streams.FILES,
    *damage.FILES,
    *papers.FILES,
    *names.FILES,
)


def corpus(
    folder: Path, *, seed: int = SEED, listener_port: int = 9
) -> Mapping[Bad, Path]:
    """Write every file into the folder; return where it is.

    Playlists among them name a place at ``listener_port``, which nobody may call.
    """
    places = {}
    for number, bad in enumerate(FILES):
        places[bad] = folder / f"{number:03}"
        places[bad].write_bytes(bad.body(seed, listener_port))
    return places
