import pytest

from network import Network

# Minutes each. They come first, so that none is left to run alone at the end.
LONG = ["test_epoch_kills", "test_hostile_verifier", "test_verification", "test_soak"]


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: LONG.index(item.path.stem) if item.path.stem in LONG else len(LONG))


@pytest.fixture(scope="session")
def network():
    """One network that tests share and leave as they found it."""
    with Network() as started:
        started.up()
        yield started


@pytest.fixture(scope="module")
def own_network():
    """A network whose nodes the tests of one file may kill."""
    with Network(users=18) as started:
        started.up()
        yield started
