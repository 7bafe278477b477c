"""The official OpenAI client against the network's API."""

import concurrent.futures
import json

import httpx
import openai
import pytest

from network import MODEL, OTHER_MODEL, question, wait_for, web


@pytest.fixture(scope="module")
def client(network):
    return openai.OpenAI(base_url=network.api + "/v1", api_key="any", timeout=120)


HELLO = [{"role": "user", "content": "Say hello."}]


def test_models(client):
    assert sorted(model.id for model in client.models.list()) == [MODEL, OTHER_MODEL]
    assert client.models.retrieve(MODEL).object == "model"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("nothing")


@pytest.mark.parametrize("model", [MODEL, OTHER_MODEL])
def test_completion(client, model):
    reply = client.chat.completions.create(model=model, messages=HELLO, max_tokens=16, seed=1)
    assert reply.choices[0].message.content.strip()
    assert reply.choices[0].finish_reason in ("stop", "length")
    assert reply.usage.completion_tokens > 0 and reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens


def test_streaming_gives_the_same_text(client):
    arguments = dict(model=MODEL, messages=HELLO, max_tokens=24, seed=5, temperature=0)
    whole = client.chat.completions.create(**arguments).choices[0].message.content
    chunks = list(client.chat.completions.create(**arguments, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == whole
    assert chunks[-1].choices[0].finish_reason in ("stop", "length")
    assert all(chunk.choices[0].finish_reason is None for chunk in chunks[:-1])
    assert len(chunks) > 5


def test_usage_in_a_stream(client):
    chunks = list(client.chat.completions.create(model=MODEL, messages=HELLO, max_tokens=8, stream=True,
                                                 stream_options={"include_usage": True}))
    assert chunks[-1].choices == [] and chunks[-1].usage.completion_tokens == 8


def test_legacy_completion(client):
    reply = client.completions.create(model=MODEL, prompt="Once upon a time", max_tokens=8)
    assert reply.choices[0].text


def test_responses(client):
    reply = client.responses.create(model=MODEL, input="Say hello.", max_output_tokens=16)
    assert reply.output_text.strip()
    events = [event.type for event in client.responses.create(model=MODEL, input="Say hello.", max_output_tokens=8, stream=True)]
    assert "response.completed" in events


def test_messages(network):
    reply = web.post(network.api + "/v1/messages", timeout=60,
                       json={"model": MODEL, "max_tokens": 8, "messages": HELLO})
    assert reply.status_code == 200 and reply.json()["content"][0]["text"], reply.text
    missing = web.post(network.api + "/v1/messages", json={"model": "nothing", "max_tokens": 8, "messages": HELLO})
    assert missing.status_code == 404 and missing.json()["type"] == "error"


TOOL = {"type": "function", "function": {"name": "weather", "description": "The weather in a city",
                                         "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}


def test_tools_reach_the_engine(client, network):
    # Whether so small a model calls a tool is its own affair (test_upstream.py has one that does); that it gets them
    # as they were sent shows in the engine's own answer.
    body = dict(model=MODEL, messages=[{"role": "user", "content": "Weather in Paris?"}], tools=[TOOL], max_tokens=32, temperature=0, seed=3)
    ours = client.chat.completions.create(**body)
    engine = next(network.home.glob("nodes/model-*/**/*.sock"))
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(engine), verify=False), timeout=60) as direct:
        models = direct.get("http://engine/v1/models").json()["data"]
        model = models[0]["id"]
        theirs = direct.post("http://engine/v1/chat/completions", json={**body, "model": model}).json()
    if model != MODEL:
        ours = client.chat.completions.create(**{**body, "model": model})
    assert ours.choices[0].message.content == theirs["choices"][0]["message"]["content"]
    assert ours.usage.prompt_tokens == theirs["usage"]["prompt_tokens"]


def test_response_format(client):
    schema = {"name": "answer", "schema": {"type": "object", "properties": {"number": {"type": "integer"}}, "required": ["number"]}}
    reply = client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "A number, please."}], max_tokens=64,
                                           response_format={"type": "json_schema", "json_schema": schema})
    assert isinstance(json.loads(reply.choices[0].message.content)["number"], int)


def test_unknown_model_names_those_there_are(client):
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="gpt-9", messages=HELLO)
    assert caught.value.code == "model_not_found" and MODEL in str(caught.value)


@pytest.mark.parametrize("body, word", [("{", "JSON"), ("[1]", "object"), ('{"messages": []}', "model"), ('{"model": 3}', "model"), ('{"model":"m"} x', "goes on")])
def test_bad_bodies(network, body, word):
    reply = web.post(network.api + "/v1/chat/completions", content=body)
    assert reply.status_code == 400
    assert word in reply.json()["error"]["message"] and reply.json()["error"]["type"] == "invalid_request_error"


def test_the_engines_own_errors_pass(client):
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model=MODEL, messages=[{"role": "nobody"}])


def test_oversized_body(network):
    reply = web.post(network.api + "/v1/chat/completions", content=b'{"model": "' + b"x" * (17 << 20) + b'"}', timeout=60)
    assert reply.status_code == 413 and "16777216" in reply.json()["error"]["message"]


def test_a_large_body_passes(network):
    reply = web.post(network.api + "/v1/chat/completions", timeout=60,
                       json=question("hello", max_tokens=4, metadata={"padding": "x" * (400 << 10)}))
    assert reply.status_code == 200, reply.text


def test_a_prompt_that_no_context_holds_is_the_clients_fault(network):
    reply = web.post(network.api + "/v1/chat/completions", timeout=60, json=question("hello " + "x" * (3 << 20), max_tokens=4))
    assert reply.status_code == 400 and reply.json()["error"]["code"] == "context_length_exceeded", reply.text


def test_what_no_prompt_is_made_of_has_no_context_to_fit_in(network):
    reply = web.post(network.api + "/v1/chat/completions", timeout=60,
                       json=question("hello", max_tokens=4, metadata={"padding": "x" * (3 << 20)}))
    assert reply.status_code == 200, reply.text


def test_other_pages(network):
    assert web.get(network.api + "/nothing").status_code == 404
    assert web.get(network.api + "/v1/chat/completions").status_code == 405
    metrics = web.get(network.api + "/metrics").text
    assert 'planetserve_api_requests_total{' in metrics
    for header, value in [("host", "evil.example"), ("origin", "https://evil.example")]:
        assert web.get(network.api + "/v1/models", headers={header: value}).status_code == 403


def test_hanging_up_stops_the_engine(network, client):
    stream = client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "Tell a very long story."}], max_tokens=3000,
                                            stream=True, extra_body={"ignore_eos": True})
    next(iter(stream))
    assert web.get(network.api + "/planetserve/status").json()["requests"]["under_way"] == 1
    stream.close()
    wait_for(lambda: web.get(network.api + "/planetserve/status").json()["requests"]["under_way"] == 0, "the request to be gone", 10)
    # The model nodes tell their load when they renew their leases.
    wait_for(lambda: all(node["running"] == 0 for node in network.status()["model_nodes"]), "the engines to be free", 30)


def test_thirty_two_at_once(client, network):
    def ask(number):
        return client.chat.completions.create(model=[MODEL, OTHER_MODEL][number % 2], seed=number, temperature=0, max_tokens=8,
                                              extra_body={"cache_prompt": False},
                                              messages=[{"role": "user", "content": f"Count to {number % 4}."}]).choices[0].message.content

    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(ask, range(32)))
    assert all(answers)
    # The same question to the same model has the same answer, whichever requests ran beside it; with a prompt that is
    # cached but for its last token, the engine's sums differ in their last bits.
    for number in range(32):
        assert answers[number] == answers[number % 4], number


def test_a_retry_does_not_run_twice(network):
    body = question("Tell me a story.", max_tokens=40, temperature=1.0)
    body.pop("seed")
    ask = lambda: web.post(network.api + "/v1/chat/completions", timeout=60, json=body, headers={"Idempotency-Key": "once"}).json()
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: ask(), range(2))
    third = ask()
    assert first["id"] == second["id"] == third["id"]
    assert first["choices"] == third["choices"]


def test_a_conversation_stays_with_its_node(network):
    messages, nodes = [], set()
    for turn in range(4):
        messages.append({"role": "user", "content": f"Turn {turn}."})
        reply = web.post(network.api + "/v1/chat/completions", timeout=60, json={"model": MODEL, "messages": messages, "max_tokens": 4})
        nodes.add(reply.headers["x-planetserve-model-node"])
        messages.append({"role": "assistant", "content": reply.json()["choices"][0]["message"]["content"]})
    assert len(nodes) == 1
