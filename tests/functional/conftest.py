import pytest

from network import Network


def _start(**options):
    network = Network(**options)
    try:
        network.up()
    except BaseException:
        print(network.logs())
        network.close()
        raise
    return network


@pytest.fixture(scope="session")
def network():
    """One network that tests share and leave as they found it."""
    started = _start()
    yield started
    started.close()


@pytest.fixture(scope="module")
def own_network():
    """A network whose nodes the tests of one file may kill."""
    started = _start(users=18)
    yield started
    started.close()
