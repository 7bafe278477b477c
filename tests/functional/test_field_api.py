"""What people and their programs meet at a user node's API and on its machine: each case by its right outcome."""

import concurrent.futures
import gzip
import json
import os
import pathlib
import signal
import socket
import subprocess
import time

import anthropic
import httpx
import openai
import pytest

from network import MODEL, OTHER_MODEL, PROGRAM, Network, free_port, question, run, wait_for, web
from upstreams import Refuser, serving

HELLO = [{"role": "user", "content": "Say hello."}]
PAGE = "https://page.example"


@pytest.fixture(scope="module")
def keyed(network):
    """A user node of the network that is given a key and an allowed page while it runs."""
    node = network.start_user(settings="log_level: info\n")
    config = node.folder / "config.yaml"
    wait_for(node.healthy, "the node to be ready", 40)
    node.plain = config.read_text()
    assert web.get(node.api + "/v1/models").status_code == 200
    reconfigure(node, f", key: secret, allowed_origins: ['{PAGE}']")
    yield node
    node.stop()


def curl(*arguments):
    return subprocess.run(["curl", "-sS", "--max-time", "60", *arguments], capture_output=True, text=True, timeout=90)


def reconfigure(node, api):
    """Writes the node's configuration anew, with these keys of `api`, and sends it SIGHUP."""
    before = node.log().count("is read again")
    port = node.api.rsplit(":", 1)[1]
    lines = [line for line in node.plain.splitlines() if not line.startswith("api:")]
    (node.folder / "config.yaml").write_text("\n".join(lines) + f"\napi: {{listen: '127.0.0.1:{port}'{api}}}\n")
    node.process.send_signal(signal.SIGHUP)
    wait_for(lambda: node.log().count("read again") > before, lambda: f"the node to read its configuration again: {node.log()}", 10)


# --- who may ask ---

def test_sighup_takes_a_key_and_an_origin_while_the_node_runs(keyed):
    assert keyed.running() and (keyed.folder / "run.json").exists()
    assert web.get(keyed.api + "/v1/models").status_code == 401
    assert "api.allowed_origins, api.key" in keyed.log()
    assert "secret" not in keyed.log()


def test_sighup_says_what_it_cannot_take_and_keeps_what_is_right(keyed):
    reconfigure(keyed, f", key: secret, allowed_origins: ['{PAGE}']}}\npaths: {{count: 5")
    assert "only when the node starts again: paths.count" in keyed.log()
    before = keyed.log().count("is not read again")
    (keyed.folder / "config.yaml").write_text("home: [\n")
    keyed.process.send_signal(signal.SIGHUP)
    wait_for(lambda: keyed.log().count("is not read again") > before, "the wrong file to be refused", 10)
    assert web.get(keyed.api + "/v1/models", headers={"x-api-key": "secret"}).status_code == 200
    reconfigure(keyed, f", key: secret, allowed_origins: ['{PAGE}']")


@pytest.mark.parametrize("headers, status", [({"authorization": "Bearer secret", "x-api-key": "sk-other"}, 200),
                                             ({"authorization": "Bearer sk-other", "x-api-key": "secret"}, 200),
                                             ({"authorization": "Bearer sk-other", "x-api-key": "sk-other"}, 401), ({}, 401)])
def test_either_of_two_keys_suffices(keyed, headers, status):
    assert web.get(keyed.api + "/v1/models", headers=headers).status_code == status


def test_anthropics_client_with_the_key_of_another_service_beside_it(keyed):
    client = anthropic.Anthropic(base_url=keyed.api, auth_token="secret", default_headers={"x-api-key": "sk-other"}, timeout=60)
    reply = client.messages.create(model=MODEL, max_tokens=8, messages=HELLO)
    assert reply.content[0].text


def test_a_page_that_is_allowed_may_ask(keyed):
    before = httpx.options(keyed.api + "/v1/chat/completions",
                           headers={"origin": PAGE, "access-control-request-method": "POST",
                                    "access-control-request-headers": "authorization, content-type"})
    assert before.status_code == 200 and before.headers["access-control-allow-origin"] == PAGE
    assert "authorization" in before.headers["access-control-allow-headers"]
    reply = web.post(keyed.api + "/v1/chat/completions", timeout=60, json=question("hello", max_tokens=4),
                       headers={"origin": PAGE, "authorization": "Bearer secret"})
    assert reply.status_code == 200 and reply.headers["access-control-allow-origin"] == PAGE


def test_a_page_that_is_not_allowed_learns_how(network):
    for reply in (web.get(network.api + "/v1/models", headers={"origin": PAGE}),
                  httpx.options(network.api + "/v1/models", headers={"origin": PAGE, "access-control-request-method": "GET"})):
        assert reply.status_code == 403 and "api.allowed_origins" in reply.json()["error"]["message"]


def test_chat_and_doctor_tell_a_missing_key_from_a_missing_model(keyed):
    done = run("chat", "--api", keyed.api + "/v1", "hello", check=False, env={"OPENAI_API_KEY": ""})
    assert done.returncode == 1 and "--api-key" in done.stderr and "no model" not in done.stderr
    done = run("chat", "--api", keyed.api + "/v1", "--api-key", "secret", "--max-tokens", 4, "hello")
    assert done.returncode == 0


# --- what is asked ---

def test_a_compressed_body_is_refused_as_such(network):
    body = gzip.compress(json.dumps(question("hello")).encode())
    reply = web.post(network.api + "/v1/chat/completions", content=body, headers={"content-encoding": "gzip"})
    assert reply.status_code == 415 and "gzip" in reply.json()["error"]["message"]
    assert reply.headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("wrong, meant", [("/v1//models", "/v1/models"), ("/v1/models/", "/v1/models"),
                                          ("/v1/v1/chat/completions", "/v1/chat/completions"), ("/chat/completions", "/v1/chat/completions")])
def test_a_path_that_is_nearly_right_gets_a_hint(network, wrong, meant):
    done = curl("--path-as-is", network.api + wrong)
    assert f"did you mean {meant}?" in done.stdout


def test_a_base_url_without_v1_gets_a_hint(network):
    with pytest.raises(openai.NotFoundError, match="did you mean /v1/chat/completions"):
        openai.OpenAI(base_url=network.api, api_key="any").chat.completions.create(model=MODEL, messages=HELLO)


def test_a_long_target_ends_no_node(network):
    reply = web.post(network.api + "/v1/chat/completions?" + "x" * (17 << 10), json=question("hello"))
    assert reply.status_code == 414
    assert web.get(network.api + "/health").status_code == 200
    assert web.post(network.api + "/v1/chat/completions?x=1", json=question("hello")).status_code == 400


def test_anthropics_client_counts_tokens(network):
    client = anthropic.Anthropic(base_url=network.api, api_key="any", timeout=60)
    assert client.messages.count_tokens(model=MODEL, messages=HELLO).input_tokens > 3
    assert client.beta.messages.count_tokens(model=MODEL, messages=HELLO).input_tokens > 3


def test_localhost_is_both_loopbacks(network):
    port = network.port
    try:
        socket.create_connection(("::1", port), 5).close()
    except OSError as error:
        if not pathlib.Path("/proc/net/if_inet6").exists() or not pathlib.Path("/proc/net/if_inet6").read_text():
            pytest.skip("this machine has no IPv6")
        raise AssertionError(f"::1 is not answered: {error}")
    assert web.get(f"http://[::1]:{port}/health").status_code == 200


# --- what is answered ---

def test_several_answers_in_a_stream_have_one_usage(network):
    client = openai.OpenAI(base_url=network.api + "/v1", api_key="any", timeout=120)
    chunks = list(client.chat.completions.create(model=MODEL, messages=HELLO, max_tokens=6, n=2, stream=True,
                                                 stream_options={"include_usage": True}, extra_body={"ignore_eos": True}))
    assert {choice.index for chunk in chunks for choice in chunk.choices} == {0, 1}
    usages = [chunk.usage for chunk in chunks if chunk.usage]
    assert len(usages) == 1 and chunks[-1].usage is usages[0]
    assert usages[0].completion_tokens == 12 and usages[0].total_tokens == usages[0].prompt_tokens + 12


def test_a_response_that_is_too_long_fails_as_one(network):
    client = openai.OpenAI(base_url=network.api + "/v1", api_key="any", timeout=120, max_retries=0)
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(model=MODEL, input="word " * 6000, max_output_tokens=4, stream=True)
    assert caught.value.body["n_prompt_tokens"] > caught.value.body["n_ctx"] > 0


def test_two_users_with_one_idempotency_key_get_two_answers(network, keyed):
    body = question("Tell me a story.", max_tokens=30, temperature=1.0)
    body.pop("seed")
    headers = {"idempotency-key": "1", "authorization": "Bearer secret"}
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda api: web.post(api + "/v1/chat/completions", timeout=60, json=body, headers=headers).json(),
                                 [network.api, keyed.api])
    assert first["id"] != second["id"]


def test_models_that_answered_come_first(network):
    network.complete("hello", max_tokens=4, model=OTHER_MODEL)
    network.complete("hello", max_tokens=4, model=MODEL)
    with serving(Refuser) as url:
        node = network.start_model(f"[{{name: aaa, upstream: '{url}'}}]")
        try:
            names = lambda: [model["id"] for model in web.get(network.api + "/v1/models").json()["data"]]
            wait_for(lambda: "aaa" in names(), "the model to be listed", 30)
            assert names()[-1] == "aaa" and names()[0] in (MODEL, OTHER_MODEL)
            done = run("chat", "--home", network.home, "--max-tokens", 4, "hello")
            assert "answered by model node" in done.stdout
        finally:
            node.stop()
            wait_for(lambda: "aaa" not in names(), "the model to be gone", 60)


def test_a_hang_up_frees_the_slot_at_once(network):
    with httpx.Client(verify=False, timeout=60) as client:
        with client.stream("POST", network.api + "/v1/chat/completions",
                           json=question("Tell a long story.", max_tokens=3000, stream=True, ignore_eos=True)) as reply:
            lines = reply.iter_lines()  # kept: to drop it would be to hang up
            next(lines)
            assert open_exchanges(network) >= 1
    begun = time.monotonic()
    wait_for(lambda: open_exchanges(network) == 0, "the model nodes to be done with it", 20)
    assert time.monotonic() - begun < 3


def model_endpoints(network):
    return [json.loads(file.read_text())["api"] for file in network.home.glob("nodes/model-*/run.json")]


def open_exchanges(network):
    return sum(web.get(url + "/planetserve/status").json()["exchanges"]["open"] for url in model_endpoints(network))


# --- the machine ---

def test_a_home_is_of_one_node(network):
    for name in ("user-1", "model-1", "verifier-1"):
        home = network.home / "nodes" / name
        before = (home / "run.json").read_text()
        done = run(name.split("-")[0], "--config", home / "config.yaml", check=False, timeout=30)
        assert done.returncode == 1, name
        assert f"is in use by process {json.loads(before)['pid']}" in done.stderr, done.stderr
        assert (home / "run.json").read_text() == before
    assert web.get(network.api + "/health").status_code == 200


def test_sighup_ends_no_node(network):
    for name in ("user-2", "model-1", "verifier-1"):
        pid = json.loads((network.home / "nodes" / name / "run.json").read_text())["pid"]
        os.kill(pid, signal.SIGHUP)
        log = network.home / "nodes" / name / "log"
        wait_for(lambda: "the configuration is read again" in log.read_text(), f"{name} to answer SIGHUP", 10)
        assert pathlib.Path(f"/proc/{pid}").exists() and (network.home / "nodes" / name / "run.json").exists()


def test_too_few_users_are_refused_at_once(tmp_path):
    begun = time.monotonic()
    done = run("up", "--home", tmp_path / "few", "--users", 3, "--models", 1, check=False)
    assert done.returncode == 1 and "--users must be at least 4" in done.stderr
    assert time.monotonic() - begun < 5


def test_up_twice_at_once_and_down_without_run_files():
    other = Network(users=4, models=1)
    try:
        command = [PROGRAM, "up", "--home", other.home, "--users", 4, "--models", 1, "--no-verify", "--port", other.port]
        both = [subprocess.Popen([*map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
        ends = [process.communicate(timeout=180) + (process.returncode, ) for process in both]
        assert sorted(end[2] for end in ends) == [0, 1], ends
        assert any("is in use by process" in end[1] for end in ends)
        pids = [node["pid"] for node in other.status()["nodes"]]
        assert len(set(pids)) == 6
        for file in other.home.glob("nodes/*/run.json"):
            file.unlink()
        run("down", "--home", other.home)
        assert not any(pathlib.Path(f"/proc/{pid}").exists() for pid in pids)
    finally:
        other.close()


def test_an_address_to_advertise_is_not_what_is_listened_on(network):
    node = network.start_user(settings=f"advertise: 127.0.0.1:{free_port()}\n")
    try:
        assert "tells others 127.0.0.1:" in node.log()
    finally:
        node.stop()


def test_a_user_that_starts_before_its_verifier_joins_soon_after():
    other = Network(users=4, models=1)
    try:
        other.up()
        verifier = next(node for node in other.status()["nodes"] if node["role"] == "verifier")
        os.kill(verifier["pid"], signal.SIGKILL)
        node = other.start_user()
        wait_for(lambda: "verification node" in node.status()["directory"]["problem"], "the node to miss its verifier", 10)
        health = web.get(node.api + "/health").json()
        assert "verification node" in health["problem"]
        time.sleep(8)
        other.up()
        begun = time.monotonic()
        wait_for(lambda: node.status()["directory"]["height"] > 0, "the node to have the list", 20)
        assert time.monotonic() - begun < 4
    finally:
        other.close()


def test_doctor_finds_a_model_node_that_does_not_answer():
    other = Network(users=4, models=1)
    try:
        other.up()
        engine = subprocess.run(["pgrep", "-f", f"llama-server.*{other.home}"], capture_output=True, text=True).stdout.split()
        os.kill(int(engine[0]), signal.SIGSTOP)
        try:
            done = run("doctor", "--home", other.home, check=False, timeout=200)
            assert done.returncode == 1 and "Everything works." not in done.stdout
            assert "model-1" in done.stdout
        finally:
            os.kill(int(engine[0]), signal.SIGCONT)
    finally:
        other.close()


def test_ctrl_c_ends_the_answer_and_not_the_chat(network):
    chat = subprocess.Popen([str(PROGRAM), "chat", "--home", str(network.home), "--model", MODEL, "--max-tokens", "2000"], text=True,
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "NO_COLOR": "1"})
    try:
        chat.stdin.write("Write a very long story about the sea.\n")
        chat.stdin.flush()
        wait_for(lambda: open_exchanges(network) >= 1, "the question to be under way", 30)
        time.sleep(1)
        chat.send_signal(signal.SIGINT)
        wait_for(lambda: open_exchanges(network) == 0, "the answer to end", 15)
        assert chat.poll() is None, "the chat goes on"
        chat.stdin.write("\n")
        chat.stdin.close()
        assert chat.wait(20) == 0
    finally:
        chat.kill()
