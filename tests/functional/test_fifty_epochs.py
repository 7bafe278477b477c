"""Four verification nodes, 16 user nodes and four model nodes, one of them dishonest, for many epochs of a minute.

It takes an hour of a machine with nothing else to do, so it runs only when it is asked to, for so many epochs:

    PLANETSERVE_EPOCHS=50 PYTEST_ARGS="-k fifty_epochs -s" ./planetserve test functional
"""

import collections
import os
import time

import pytest

from network import MODEL, OTHER_MODEL, Network, run, web

EPOCHS = int(os.environ.get("PLANETSERVE_EPOCHS", "0"))
EPOCH_SECONDS = 60
TRUST = 0.4
pytestmark = [pytest.mark.skipif(EPOCHS == 0, reason="it takes an hour; PLANETSERVE_EPOCHS says for how many epochs"),
              pytest.mark.timeout((EPOCHS + 5) * EPOCH_SECONDS + 300)]


def ask(network, number):
    """The node that answered."""
    reply = web.post(network.api + "/v1/chat/completions", timeout=60,
                       json={"model": (MODEL, OTHER_MODEL)[number % 2], "max_tokens": 16,
                             "messages": [{"role": "user", "content": f"Question {number}: what is a good name for a cat?"}]})
    assert reply.status_code == 200, reply.text
    return reply.headers["x-planetserve-model-node"]


def test_the_dishonest_node_is_out_and_the_honest_ones_stay():
    with Network(users=16, models=3, verifiers=4) as network:
        network.up("--verify", "--epoch-seconds", EPOCH_SECONDS)
        liar = network.start_coarser().id
        network.wait_ready()
        begun = time.monotonic()
        served, after, out_in, lowest, scores = collections.Counter(), 0, None, {}, {}
        epoch = 0
        while epoch <= EPOCHS:
            time.sleep(20 - (time.monotonic() - begun) % 20)
            seen, number = network.status(), sum(served.values())
            for node in (ask(network, number), ask(network, number + 1)):
                served[node] += 1
                after += out_in is not None and node == liar
            verifications = [node["committee"]["verification"] for node in seen["nodes"] if node["role"] == "verifier"]
            epoch = verifications[0]["epoch"]
            for node in seen["model_nodes"]:
                lowest[node["id"]] = min(lowest.get(node["id"], 1.0), node["reputation"])
                if node["id"] == liar and not node["trusted"] and out_in is None:
                    out_in = epoch
            scores = {one["node"]: one["scores"] for one in verifications[0]["standings"]}
            assert out_in is not None or epoch <= 5, f"the dishonest node is trusted in epoch {epoch}: {verifications[0]['findings']}"
            low = {node: reputation for node, reputation in lowest.items() if node != liar and reputation < TRUST}
            assert not low, f"epoch {epoch}: {low}; {[one['challenges'] for one in verifications]}"
        told = run("audit", "--home", network.home, timeout=600)
        assert "lead from the genesis to" in told.stdout, told.stdout
        print(f"\n{epoch} epochs: the dishonest node out in epoch {out_in}, {after} requests to it after that of {sum(served.values())} in all")
        for node, reputation in lowest.items():
            print(f"  {node[:8]} {'dishonest' if node == liar else 'honest':9}  lowest reputation {reputation:.3f}, {scores.get(node, 0)} scores, {served[node]} requests")
        assert after == 0
        assert all(scores.get(node, 0) > 0 for node in lowest), "each was scored"
