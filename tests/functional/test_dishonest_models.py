"""Model nodes whose answers are not their own, and one that does not serve what users ask for."""

import http.server
import json
import os
import pathlib
import threading

import pytest

from committee import COMETBFT, Committee
from network import MODEL, OTHER_MODEL, wait_for, web

pytestmark = [pytest.mark.skipif(not os.access(COMETBFT, os.X_OK), reason="PLANETSERVE_COMETBFT names no program"), pytest.mark.timeout(900)]

PATIENCE = 600


class Borrower(http.server.BaseHTTPRequestHandler):
    """An upstream without a model, whose answers an honest node of the same network gave, with their signatures."""
    protocol_version = "HTTP/1.1"
    network, kept, lock = None, None, threading.Lock()

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        mode = self.path.split("/")[1]
        whole = {name: value for name, value in asked.items() if name not in ("stream", "stream_options")}
        # Few tokens, so that a busy machine answers within the time that a challenge has.
        reply = self.borrowed({**whole, "model": MODEL, "max_tokens": 4}) if mode == "passes-on" else self.old(asked)
        if mode == "renames":
            answer = bytearray.fromhex(reply["planetserve"]["signed_answer"])
            answer[0] ^= 1  # the first byte of the signer's id
            reply = {**reply, "planetserve": {"signed_answer": answer.hex()}}
        body = json.dumps(reply).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def borrowed(self, question):
        reply = web.post(self.network.api + "/v1/chat/completions", json=question, timeout=120)
        assert reply.status_code == 200, reply.text
        return reply.json()

    def old(self, asked):
        with Borrower.lock:
            if Borrower.kept is None:
                Borrower.kept = self.borrowed({"model": MODEL, "max_tokens": 8, "messages": asked["messages"]})
            return Borrower.kept

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    # One turn to lead, with time for all of them on two cores; nobody scores, so only what is no answer counts.
    parameters = {"draw_ms": 2000, "leader_ms": 12000, "leaders": 1, "recheck_ms": 7000, "commit_ms": 2000, "reveal_ms": 2000,
                  "epoch_ms": 26000, "challenges_per_node": 1}
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Borrower)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with Committee(parameters, powers=(1, 1), score=False) as started:
        Borrower.network, Borrower.kept = started, None
        started.found()
        started.up()
        started.honest = next(node["id"] for node in started.status()["nodes"] if node["role"] == "model")
        upstream = f"http://127.0.0.1:{server.server_port}"
        started.borrowers = {mode: started.start_model(f"[{{name: {OTHER_MODEL}, upstream: '{upstream}/{mode}/v1'}}]").id
                             for mode in ("replays", "renames", "passes-on")}
        # Another engine in the place of its own.
        engine = tmp_path_factory.mktemp("engine")
        (engine / "bin").mkdir()
        (engine / "bin/llama-server").symlink_to(pathlib.Path(__file__).with_name("engine_without_streams.py"))
        real = pathlib.Path(os.environ["PLANETSERVE_ENGINE"]) / "bin/llama-server"
        started.refuser = started.start_model(f"[{{name: {MODEL}, catalogue: {MODEL}, slots: 2, context: 2048, threads: 1}}]",
                                              env={"PLANETSERVE_ENGINE": str(engine), "REAL_ENGINE": str(real)}).id
        yield started
    server.shutdown()


def model_nodes(network):
    return {node["id"]: node for node in network.status()["model_nodes"]}


def logs(network):
    return "".join((network.home_of(name) / "log").read_text() for name in network.powers)


def test_one_that_refuses_what_users_send_is_passed_over(network):
    wait_for(lambda: network.refuser in model_nodes(network), "it to be listed", 60)
    asked = 0

    def refused_once():
        nonlocal asked
        asked += 1
        reply = web.post(network.api + "/v1/chat/completions", timeout=120,
                           json={"model": MODEL, "max_tokens": 4, "stream": True, "messages": [{"role": "user", "content": f"Question {asked}"}]})
        assert reply.status_code == 200, reply.text
        assert reply.headers["x-planetserve-model-node"] == network.honest
        return network.status()["requests"]["retried"] > 0
    # Before it has lost its reputation by that.
    wait_for(refused_once, "a request to be refused by it and answered by another", 60)


REASONS = {"replays": "the signed answer is to another request",
           "passes-on": "the signed answer is to another request",
           "renames": "the answer is not signed by node"}


@pytest.mark.parametrize("mode", REASONS)
def test_an_answer_that_is_not_its_own_costs_the_node(network, mode):
    node = network.borrowers[mode]
    wait_for(lambda: node in model_nodes(network), "it to be listed", 60)
    wait_for(lambda: f"node {node[:8]}: not signed, {REASONS[mode]}" in logs(network),
             lambda: f"the reason to be logged: {[line for line in logs(network).splitlines() if node[:8] in line]}", PATIENCE)
    wait_for(lambda: not model_nodes(network)[node]["trusted"], lambda: f"it to lose its reputation: {model_nodes(network)}", PATIENCE)
    for name in network.powers:
        standing = next(one for one in network.verification(name)["standings"] if one["node"] == node)
        assert not standing["trusted"] and standing["reputation"] < 0.4 and standing["abnormal"] >= 1, standing
    reply = web.post(network.api + "/v1/chat/completions", timeout=60,
                       json={"model": OTHER_MODEL, "max_tokens": 4, "messages": [{"role": "user", "content": "Anybody there?"}]})
    if reply.status_code == 200:
        assert reply.headers["x-planetserve-model-node"] != node


def test_one_that_refuses_what_users_send_is_found_out(network):
    """Challenges come in all the forms of users' requests, so it cannot serve verification nodes alone."""
    wait_for(lambda: not model_nodes(network)[network.refuser]["trusted"], lambda: f"it to lose its reputation: {model_nodes(network)}", PATIENCE)
    assert model_nodes(network)[network.honest]["trusted"]
