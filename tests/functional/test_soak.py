"""Mixed load on a network in which members are hostile and engines die and stop: minutes here, half an hour by
`./planetserve test soak`."""

import json
import os
import pathlib
import random
import signal
import threading
import time

import httpx
import pytest

from network import MODEL, Network, question, wait_for
from test_hostile_user import HOSTILE
from upstreams import Upstream, serving

SECONDS = int(os.environ.get("PLANETSERVE_SOAK_SECONDS", "180"))
pytestmark = pytest.mark.timeout(SECONDS + 600)

PROMPTS = [f"Say a few words about the number {number}." for number in range(12)]
TOKENS = 24
# Of a request, from its start to its end or error: three rounds of attempts, each with its patience.
DEADLINE = 150
# Resident memory of a node's own process: some 40 MiB at rest, and the largest buffers of its limits.
MEMORY = 512 << 20
CLIENTS = 4


def resident(pid):
    try:
        return int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


class Soak:
    def __init__(self, network, right):
        self.network, self.right = network, right
        self.over = threading.Event()
        self.lock = threading.Lock()
        self.answered, self.refused, self.wrong, self.late, self.hostile, self.faults = 0, [], [], [], 0, []
        self.random = random.Random(1)

    def client(self, number):
        """As a program that asks, streams, hangs up, and goes on."""
        rng = random.Random(number)
        with httpx.Client(verify=False, timeout=DEADLINE + 30) as client:
            while not self.over.is_set():
                prompt, stream = rng.choice(PROMPTS), rng.random() < 0.5
                begun = time.monotonic()
                try:
                    text, failure = self.ask(client, prompt, stream, hang_up=rng.random() < 0.1)
                except httpx.HTTPError as error:
                    text, failure = None, f"{type(error).__name__}: {error}"
                took = time.monotonic() - begun
                with self.lock:
                    if took > DEADLINE:
                        self.late.append((took, failure))
                    if failure:
                        self.refused.append(failure)
                    elif text is not None:
                        self.answered += 1
                        if text != self.right[prompt]:
                            self.wrong.append((prompt, text))

    def ask(self, client, prompt, stream, hang_up):
        """(text, failure); neither where the client hung up."""
        body = question(prompt, max_tokens=TOKENS, stream=stream)
        url = self.network.api + "/v1/chat/completions"
        if not stream:
            reply = client.post(url, json=body)
            if reply.status_code != 200:
                return None, f"{reply.status_code} {reply.text[:200]}"
            return reply.json()["choices"][0]["message"]["content"], None
        text, done = "", False
        with client.stream("POST", url, json=body) as reply:
            if reply.status_code != 200:
                return None, f"{reply.status_code} {reply.read()[:200]}"
            for line in reply.iter_lines():
                if hang_up and text:
                    return None, None
                if line == "data: [DONE]":
                    done = True
                elif line.startswith("data: "):
                    chunk = json.loads(line[6:])
                    if "error" in chunk:
                        return None, f"in the stream: {chunk['error']}"
                    for choice in chunk["choices"]:
                        text += choice["delta"].get("content") or ""
        return (text, None) if done else (None, "the stream ended early")

    def hostile_user(self, stranger):
        kinds = list(HOSTILE.values())
        while not self.over.is_set():
            reply = stranger.ask({**question("Hello"), **self.random.choice(kinds)})
            with self.lock:
                self.hostile += 1
                if reply.get("status") == 200:
                    self.faults.append(f"a hostile request was answered: {reply}")
            time.sleep(0.2)

    def breaker(self):
        """Kills or stops an engine at a time: the others serve meanwhile."""
        while not self.over.wait(self.random.uniform(10, 20)):
            alive = self.network.engines()
            if len(alive) < 3:
                continue  # one is being started again
            pid = self.random.choice(alive)
            sign = self.random.choice([signal.SIGKILL, signal.SIGSTOP])
            try:
                os.kill(pid, sign)
                if sign == signal.SIGSTOP and not self.over.wait(self.random.uniform(5, 15)):
                    os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                pass  # its node was faster

    def watch(self):
        peak = 0
        while not self.over.wait(2):
            for pid, command in self.network.processes():
                if "llama-server" not in command:
                    peak = max(peak, resident(pid))
        self.peak = peak


def test_mixed_load_among_hostile_members():
    with serving(Upstream) as silent, Network(users=16, models=4) as network:
        network.up()
        network.wait_ready()
        # All engines draw the same at temperature 0.
        right = {prompt: network.complete(prompt, max_tokens=TOKENS) for prompt in PROMPTS}
        for mode in ("corrupt", "drop"):
            network.start_lab(mode)
        # A model node that is listed and answers nothing: what it is sent never comes back.
        network.start_model(f"[{{name: {MODEL}, upstream: '{silent}'}}]")
        stranger = network.start_raw_user()
        wait_for(lambda: "status" in stranger.ask(question("Hello", max_tokens=2)), "the stranger to be answered", 60)

        soak = Soak(network, right)
        threads = [threading.Thread(target=soak.client, args=(number,)) for number in range(CLIENTS)]
        threads += [threading.Thread(target=soak.hostile_user, args=(stranger,)), threading.Thread(target=soak.breaker),
                    threading.Thread(target=soak.watch)]
        for thread in threads:
            thread.start()
        time.sleep(SECONDS)
        soak.over.set()
        for thread in threads:
            thread.join()
        nodes = {node["name"]: node for node in network.status()["nodes"]}
        print(f"{soak.answered} answered, {len(soak.refused)} failed, {soak.hostile} hostile requests, "
              f"largest node {soak.peak >> 20} MiB in {SECONDS} s")
        print("failures:", sorted(set(soak.refused)))
        assert not soak.wrong, soak.wrong[:3]
        assert not soak.late, soak.late[:3]
        assert not soak.faults, soak.faults[:3]
        assert soak.peak < MEMORY
        assert all(node["state"] == "running" for node in nodes.values()), nodes
        assert soak.answered > SECONDS / 10 and len(soak.refused) <= soak.answered / 50, (soak.answered, soak.refused[:5])
    wait_for(lambda: not network.processes(), lambda: f"all processes to end: {network.processes()}", 20)
