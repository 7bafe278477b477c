import pytest

from network import Network


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
