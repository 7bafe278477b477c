"""Model nodes on engines that publish vLLM's KV events: what their group believes is what the engines hold."""

import random

import pytest

from network import MODEL, Network, run, wait_for, web
from vllm_front import VllmFront

WORDS = "river stone cloud lamp forest copper window sail marble engine harbour violet thunder meadow anchor ribbon".split()
FOLLOWED = "followed"


def text(words, seed):
    return " ".join(random.Random(seed).choice(WORDS) for _ in range(words))


class Pair:
    """Two nodes of one model, one engine with events as maps, one with events as lists."""

    def __init__(self):
        self.network = Network(users=13, models=1)
        self.fronts, self.nodes = [], []
        self.network.up()
        for as_maps in (True, False):
            self.fronts.append(VllmFront(as_maps))
            self.nodes.append(self.network.start_model(f"[{{name: {FOLLOWED}, slots: 1, context: 4096, {self.fronts[-1].configuration}}}]",
                                                       "routing: {sync_ms: 500, listed_for_ms: 1000}\n"))
        wait_for(lambda: sum(FOLLOWED in node["models"] for node in self.network.status()["model_nodes"]) == 2, "both to be listed", 60)
        self.network.wait_ready()
        wait_for(lambda: all(self.events(index)["state"] == "following" and self.events(index)["complete"] for index in (0, 1)),
                 "the events to be followed from the first on")
        # Where two nodes meet, one takes the other's key, and forgets what it held under its own.
        wait_for(lambda: all(peer["current"] and peer["same_key"] for index in (0, 1) for peer in self.group(index)["peers"])
                 and all(self.group(index)["peers"] for index in (0, 1)), "the nodes to share a key")
        # The first batch may come by replay, as subscribing takes a moment; what was known before is then forgotten.
        for index, front in enumerate(self.fronts):
            front.ask_directly("Begin.")
            wait_for(lambda: self.events(index)["batches"] >= 1, "the first events")

    def group(self, index):
        return next(group for group in self.nodes[index].status()["models"] if group["model"] == FOLLOWED)

    def events(self, index):
        return self.group(index)["cache_events"]

    def believed(self, index):
        """What the other node believes this one to hold, and what it says itself: prefixes."""
        peers = self.group(1 - index)["peers"]
        return next((peer["prefixes"] for peer in peers if peer["id"] == self.nodes[index].id), None), self.group(index)["own_prefixes"]

    def ask(self, content):
        reply = web.post(self.network.api + "/v1/chat/completions", timeout=120, json={
            "model": FOLLOWED, "temperature": 0, "max_tokens": 4, "messages": [{"role": "user", "content": content}]})
        assert reply.status_code == 200, reply.text
        return [node.id for node in self.nodes].index(reply.headers["x-planetserve-model-node"])

    def close(self):
        self.network.close()
        for front in self.fronts:
            front.close()


@pytest.fixture(scope="module")
def pair():
    pair = Pair()
    yield pair
    pair.close()


def levels_of(content):
    """Of the prompt: its two marks and the role come before the text."""
    return (len(content) + 8) // 256


def ask_and_settle(pair, content):
    """Asks, and waits until the node has compared the prompt with its engine's blocks and told the other: so many levels."""
    compared = [pair.events(index)["compared"] for index in (0, 1)]
    index = pair.ask(content)
    wait_for(lambda: pair.events(index)["compared"] > compared[index], lambda: f"the prompt to be compared: {pair.group(index)}")

    def known():
        believed, own = pair.believed(index)
        # The answer may have filled one more.
        return believed == own and levels_of(content) <= own <= levels_of(content) + 1

    wait_for(known, lambda: f"both to know {levels_of(content)} levels: {pair.believed(index)}, {pair.group(index)}")
    return index


def test_what_another_client_displaces_is_withdrawn(pair):
    content = text(300, "first")  # some 2,000 bytes
    index = ask_and_settle(pair, content)
    events = pair.events(index)
    assert events["complete"] and events["blocks"] == len(pair.fronts[index].held) and events["block_tokens"] == 16
    assert events["tokenized"] > 0 and events["tokenize_failed"] == 0 and events["unreadable"] == 0
    corrections = pair.group(index)["sync"]["corrections"]
    # Nobody tells the node of this request but the engine.
    pair.fronts[index].ask_directly(text(120, "another client"))
    # But for the beginning: the template's system text is that of both.
    wait_for(lambda: pair.believed(index) in [(kept, kept) for kept in range(4)],
             lambda: f"the prefix to be withdrawn: {pair.believed(index)}, {pair.group(index)}")
    assert pair.events(index)["withdrawn"] + pair.believed(index)[1] >= levels_of(content)
    assert pair.group(index)["sync"]["corrections"] == corrections, "events said it, no comparison"


def test_what_is_shared_with_the_next_prompt_stays(pair):
    shared = text(200, "shared")
    index = ask_and_settle(pair, shared + text(100, "one"))
    pair.fronts[index].ask_directly(shared + text(30, "two"))
    # Where the texts part is known to a level.
    wait_for(lambda: abs(pair.group(index)["own_prefixes"] - levels_of(shared)) <= 1, lambda: f"the tail to go: {pair.group(index)}")
    kept = pair.group(index)["own_prefixes"]
    wait_for(lambda: pair.believed(index) == (kept, kept), lambda: str(pair.believed(index)))


def test_a_lost_batch_is_replayed(pair):
    content = text(250, "before the gap")
    index = ask_and_settle(pair, content)
    front, gaps = pair.fronts[index], pair.events(index)["gaps"]
    front.lose = True
    front.ask_directly(text(60, "unheard"))
    front.lose = False
    assert pair.group(index)["own_prefixes"] >= levels_of(content), "nothing was heard yet"
    front.ask_directly(text(60, "heard"))
    wait_for(lambda: pair.believed(index) == (0, 0), lambda: f"the lost batch to be replayed: {pair.group(index)}")
    events = pair.events(index)
    assert events["gaps"] == gaps + 1 and events["losses"] == 0 and events["complete"]
    assert events["blocks"] == len(front.held)


def test_an_engine_that_starts_anew_is_followed_anew(pair):
    content = text(250, "before the crash")
    index = ask_and_settle(pair, content)
    pair.fronts[index].restart()
    wait_for(lambda: pair.events(index)["blocks"] == 0 and pair.believed(index) == (0, 0), lambda: f"all to be forgotten: {pair.group(index)}")
    wait_for(lambda: pair.events(index)["state"] == "following" and pair.events(index)["complete"], lambda: str(pair.events(index)))
    content = text(250, "after the crash")
    asked = ask_and_settle(pair, content)
    assert pair.events(asked)["blocks"] == len(pair.fronts[asked].held)
    assert "lost the connection" in pair.nodes[index].log()


def test_a_wrong_guess_is_corrected(pair):
    """The engine is emptied right behind the request, before the node compares."""
    content = text(300, "soon gone")
    index = pair.ask(content)
    pair.fronts[index].ask_directly(text(40, "right behind it"))
    wait_for(lambda: pair.believed(index) == (0, 0), lambda: f"the guess to be corrected: {pair.group(index)}")
    assert pair.group(index)["sync"]["corrections"] >= 1


@pytest.mark.parametrize("model, said", [
    (f"name: m, catalogue: {MODEL}, kv_events: {{endpoint: 'tcp://127.0.0.1:5557'}}", "only an 'upstream' that is vLLM"),
    ("name: m, upstream: 'http://127.0.0.1:8000', kv_events: {endpoint: 'tcp://*:5557'}", "neither tcp://HOST:PORT nor ipc://PATH"),
    ("name: m, upstream: 'http://127.0.0.1:8000', kv_events: {topic: kv-events}", "needs an 'endpoint'"),
    ("name: m, upstream: 'http://127.0.0.1:8000', kv_events: {endpoint: 'tcp://127.0.0.1:5557', replay: x}", "unknown key 'models.kv_events.replay'"),
])
def test_a_configuration_that_cannot_be_is_refused(tmp_path, model, said):
    (tmp_path / "config.yaml").write_text(f"home: {tmp_path}\ngenesis: {tmp_path}/none.json\nmodels: [{{{model}}}]\n")
    done = run("model", "--config", tmp_path / "config.yaml", check=False)
    assert done.returncode != 0 and said in done.stderr, done.stderr
