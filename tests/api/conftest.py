"""One app for the tests of this folder: building its routes takes 20 ms each time."""

import pytest

from tests.conftest import make_api


@pytest.fixture(scope="session")
def built():
    """Holds the app once a test has needed it."""
    return []


@pytest.fixture
def api(deps, built):
    """As everywhere, around this test's own ``deps``."""
    if not built:
        built.append(make_api(deps).application)
    built[0].extensions["deps"] = deps
    return built[0].test_client()
