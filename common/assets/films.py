"""A stored file turns out to be the film that its name promises."""

from io import BytesIO
from uuid import UUID

from common import object_keys
from common.assets import names
from common.deps import Deps
from common.errors import UnreadableMedia
from common.media.films.check import Seen, check


def examine(deps: Deps, object_key: str, filename: str) -> Seen:
    """Look into a stored film, from a process that may die of it.

    Raises:
        BadRequest: it is called like nothing that we take.
        UnreadableMedia: it is no film, or another one than its name says.
    """
    expected = names.CONTAINERS[names.extension(filename)]
    with deps.storage.read(object_key) as stream:
        seen = check(stream)
    if seen.film.container != expected:
        raise UnreadableMedia(
            f"The file is not what its name says: it is {seen.film.container}.",
            code="media_mislabelled",
        )
    return seen


def picture_key(project_id: str, asset_id: UUID, run: str = "first") -> str:
    """Return where the picture of a file lies; each run writes one of its own."""
    return object_keys.thumbnail(project_id, asset_id, run)


def keep_picture(deps: Deps, key: str, seen: Seen) -> None:
    """Store the picture; the key must be doomed. No transaction may be open."""
    deps.storage.write(key, BytesIO(seen.picture))
