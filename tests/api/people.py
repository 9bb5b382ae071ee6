"""People and guests, and the headers that they send."""

from uuid import NAMESPACE_URL, uuid5

from api_service.people import sessions
from common.models import User
from tests import factories
from tests.api.guards import bearer
from tests.conftest import ADMIN_TOKEN

ADMIN = bearer(ADMIN_TOKEN)


def person(db, email="ann@example.com", **fields) -> User:
    """Save a person, who has no password unless a hash of one is given."""
    user = User(**{"email": email, "name": "Ann Bee", **fields})
    factories.save(db, user)
    return user


def signed_in(deps_or_settings, user) -> dict[str, str]:
    """Return the headers of a person who has logged in."""
    settings = getattr(deps_or_settings, "settings", deps_or_settings)
    return {"Authorization": f"Bearer {sessions.begin(settings, user)}"}


def guest(name="g1") -> dict[str, str]:
    """Return the headers of a guest; another name is another guest."""
    return {"X-Guest-Session-ID": str(uuid5(NAMESPACE_URL, name))}
