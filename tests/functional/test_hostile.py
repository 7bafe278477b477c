"""Relays that corrupt, drop, duplicate, replay and delay cells."""

import pytest

from network import Network, question, wait_for, web

PROMPT = "List the planets, and say a word about each. " * 10


@pytest.fixture(scope="module")
def small_network():
    network = Network(users=13, models=1)
    network.up()
    yield network
    network.close()


def ask(user, seed):
    return web.post(user.api + "/v1/chat/completions", timeout=90, json=question(PROMPT, seed, 48))


def user_with_bad_paths(network, hostile, wanted):
    """A fresh user node of whose four paths so many have a hostile relay."""
    for _ in range(60):
        user = network.start_user(settings="paths: {lifetime_seconds: 3600}\n")

        def four_paths():
            user.running()
            paths = user.paths()
            return paths if len(paths) >= 4 else None

        paths = wait_for(four_paths, "four paths to be up", 30)
        bad = sum(any(relay in hostile for relay in path["relays"]) for path in paths)
        if wanted(bad):
            return user
        user.stop()
    raise AssertionError("no such choice of paths")


@pytest.mark.parametrize("mode", ["corrupt", "drop", "duplicate", "replay", "delay"])
def test_with_one_bad_path_every_request_succeeds(small_network, mode):
    right = small_network.complete(PROMPT, 1, 48)
    labs = [small_network.start_lab(mode) for _ in range(2)]
    try:
        hostile = {lab.id for lab in labs}
        wait_for(lambda: small_network.status()["directory"]["users"] >= 14, "the relays to be listed")
        user = user_with_bad_paths(small_network, hostile, lambda bad: bad == 1)
        for _ in range(4):
            reply = ask(user, 1)
            assert reply.status_code == 200, reply.text
            assert reply.json()["choices"][0]["message"]["content"] == right
        user.stop()
    finally:
        for lab in labs:
            lab.running()
            lab.stop()


def test_with_more_bad_paths_no_wrong_text_is_given(small_network):
    right = small_network.complete(PROMPT, 1, 48)
    labs = [small_network.start_lab(mode) for mode in ["corrupt", "drop", "duplicate", "replay", "delay", "corrupt"]]
    try:
        hostile = {lab.id for lab in labs}
        wait_for(lambda: small_network.status()["directory"]["users"] >= 18, "the relays to be listed")
        user = user_with_bad_paths(small_network, hostile, lambda bad: bad >= 2)
        answered = 0
        for _ in range(4):
            reply = ask(user, 1)
            if reply.status_code == 200:
                answered += 1
                assert reply.json()["choices"][0]["message"]["content"] == right
            else:
                assert "error" in reply.json()
        assert answered > 0, "bad paths are found and replaced"
    finally:
        for lab in labs:
            lab.running()
            lab.stop()
