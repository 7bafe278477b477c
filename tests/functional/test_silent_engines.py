"""Engines and upstreams that stop answering: users are answered by others, and the list does not show them for long."""

import os
import pathlib
import signal
import socket
import threading
import time

import pytest

from network import MODEL, Network, free_port, question, wait_for, web

# What is found out within 10 s, with the list's delay and a busy machine's.
FOUND_OUT = 30


@pytest.fixture(scope="module")
def network():
    # Two of the three serve one model.
    with Network(users=13, models=3) as started:
        started.up()
        yield started


class Switch:
    """An upstream that answers all with one reply while it is on, and accepts and says nothing while it is off."""

    REPLY = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"

    def __init__(self):
        self.on, self.port = False, free_port()
        self.listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        while connection.recv(1 << 16):
            if self.on:
                connection.sendall(self.REPLY)


def engine_of(network, node):
    """The process id of the node's engine."""
    pid = network.node(node)["pid"]
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{process}/cmdline") as command, open(f"/proc/{process}/stat") as stat:
                parent = int(stat.read().rsplit(") ", 1)[1].split()[1])
                if "llama-server" in command.read() and parent == pid:
                    return int(process)
        except OSError:
            continue
    raise AssertionError(f"{node} has no engine")


def serving(network):
    return {node["id"] for node in network.status()["model_nodes"] if MODEL in node["models"]}


def test_an_upstream_that_accepts_and_never_answers(network):
    switch = Switch()
    node = network.start_model(f"[{{name: silent, upstream: 'http://127.0.0.1:{switch.port}'}}]")
    time.sleep(5)
    reply = web.post(network.api + "/v1/chat/completions", json=question("Hello", model="silent"), timeout=60)
    assert reply.status_code == 404 and "silent" not in network.status()["models"], "it is not listed"
    switch.on = True
    wait_for(lambda: "silent" in network.status()["models"], "the upstream to be listed once it answers", 90)
    switch.on = False
    began = time.monotonic()
    reply = web.post(network.api + "/v1/chat/completions", json=question("Hello", model="silent"), timeout=120)
    assert reply.status_code >= 400 and time.monotonic() - began < 60, "a request does not hang"
    assert str(switch.port) not in reply.text, "users are told no address"
    wait_for(lambda: "silent" not in network.status()["models"], "the upstream to be gone from the list", FOUND_OUT)
    reply = web.post(network.api + "/v1/chat/completions", json=question("Hello", model="silent"), timeout=60)
    assert reply.status_code == 503 and reply.headers["retry-after"], "it was there lately: clients try again"
    node.stop()


def test_an_engine_that_is_stopped(network):
    first = web.post(network.api + "/v1/chat/completions", json=question("Hello"), timeout=60)
    victim = first.headers["x-planetserve-model-node"]
    engine = engine_of(network, victim)
    os.kill(engine, signal.SIGSTOP)
    try:
        for number in range(4):
            began = time.monotonic()
            reply = web.post(network.api + "/v1/chat/completions", json=question(f"Hello {number}"), timeout=120)
            assert reply.status_code == 200, reply.text
            assert time.monotonic() - began < 60
            assert reply.headers["x-planetserve-model-node"] != victim
        wait_for(lambda: victim not in serving(network), "its node to list it no more", FOUND_OUT)
    finally:
        os.kill(engine, signal.SIGCONT)
    wait_for(lambda: victim in serving(network), "its node to list it again", FOUND_OUT)


def answered(network):
    """False where a client is to try again: the engines may all be restarting."""
    reply = web.post(network.api + "/v1/chat/completions", json=question("Hello", model="fragile"), timeout=60)
    assert reply.status_code == 200 or (reply.status_code == 503 and reply.headers["retry-after"]), reply.text
    return reply.status_code == 200


@pytest.fixture
def fragile(network, tmp_path, request):
    """Four nodes whose engines end with each request that has "poison" in it."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/llama-server").symlink_to(pathlib.Path(__file__).with_name("engine_that_ends.py"))
    file = next(pathlib.Path(os.environ["PLANETSERVE_MODELS"]).glob("*Q8_0.gguf"))
    ends = tmp_path / "ends"
    ends.touch()
    env = {"PLANETSERVE_ENGINE": str(tmp_path), "ENDS": str(ends), "SIGNAL": str(int(request.param))}
    nodes = [network.start_model(f"[{{name: fragile, file: {file}, slots: 2, context: 2048, threads: 1}}]", env=env) for _ in range(4)]
    all_serve = lambda: sum("fragile" in node["models"] for node in network.status()["model_nodes"]) == len(nodes)
    wait_for(all_serve, "all four to be listed", 60)
    # How often a node's engine ends until the node is sure of the reason: anybody may send SIGKILL.
    most = 1 if request.param == signal.SIGSEGV else 2
    yield all_serve, lambda: ends.read_text().splitlines(), most
    for node in nodes:
        node.stop()
    wait_for(lambda: "fragile" not in network.status()["models"], "them to be gone", 60)


# On the code before, three engines of four ended with one request, and all four with the first retry.
@pytest.mark.parametrize("fragile", [signal.SIGSEGV, signal.SIGKILL], indirect=True, ids=["crash", "kill"])
def test_a_request_that_ends_engines_ends_two_and_others_are_answered(network, fragile):
    all_serve, ends, most = fragile
    stranger = network.start_raw_user()
    wait_for(lambda: stranger.ask(question("Hello", model="fragile"), model="fragile").get("status") == 200,
             "the stranger to be answered", 60)
    poison = question("poison", model="fragile")
    reply = stranger.ask(poison, model="fragile")
    assert "engine_failed" in reply.get("error", ""), reply
    assert len(ends()) == len(set(ends())) == 2, "two nodes lose their engine, once each"
    for number in range(4):
        reply = web.post(network.api + "/v1/chat/completions", json=question(f"Hello {number}", model="fragile"), timeout=60)
        assert reply.status_code == 200, reply.text
    wait_for(all_serve, "the engines to be back", 10)
    # A client that does not give up: each node refuses what its engine ended with.
    for _ in range(12):
        assert "error" in stranger.ask(poison, model="fragile")
        assert "fragile" in network.status()["models"], "what restarts at once stays listed"
        wait_for(lambda: answered(network), "an honest user to be answered", 20)
    assert max(ends().count(node) for node in set(ends())) <= most
    wait_for(all_serve, "the engines to be back", 10)


def test_a_stream_whose_engine_crashes_is_resumed(network):
    with web.stream("POST", network.api + "/v1/chat/completions", timeout=120,
                    json={**question("Tell me a long story.", max_tokens=400), "stream": True}) as stream:
        victim = stream.headers["x-planetserve-model-node"]
        lines = stream.iter_lines()
        next(lines)
        os.kill(engine_of(network, victim), signal.SIGSEGV)
        text = list(lines)
    assert "data: [DONE]" in text and any(line.startswith(": planetserve-resumed") for line in text)
    wait_for(lambda: victim in serving(network), "its node to list it again", FOUND_OUT)
