"""Strangers who ask model nodes for what engines were not made to give, and for what ends or stops them."""

import http.server
import json
import threading

import pytest

from network import MODEL, Network, question, wait_for, web

UPSTREAM_MODEL = "upstream-model"
OPERATORS_KEY = "key-of-the-operator"


class Recorder(http.server.BaseHTTPRequestHandler):
    """An upstream of the operator's that writes down what reaches it."""
    protocol_version = "HTTP/1.1"
    seen = []

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        probe = '"max_tokens":1' in body.replace(" ", "") or (self.command, self.path) == ("GET", "/v1/models")
        if not probe:
            Recorder.seen.append((self.command, self.path, body))
        reply = json.dumps({"id": "1", "object": "chat.completion", "created": 1, "model": "x", "choices": [
            {"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    do_GET = do_POST = do_DELETE = answer

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def network():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Recorder)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with Network(users=13, models=2) as started:
        started.up()
        started.start_model(f"[{{name: {UPSTREAM_MODEL}, upstream: 'http://127.0.0.1:{server.server_port}', upstream_key: {OPERATORS_KEY}}}]")
        wait_for(lambda: any(UPSTREAM_MODEL in node["models"] for node in started.status()["model_nodes"]), "the upstream to be listed", 30)
        started.stranger = started.start_raw_user()
        first = lambda: started.stranger.ask(question("Hello", max_tokens=2)).get("status") == 200
        wait_for(first, "the stranger to be answered", 60)
        wait_for(lambda: started.stranger.ask(question("Hello", model=UPSTREAM_MODEL), model=UPSTREAM_MODEL).get("status") == 200,
                 "the stranger to know the upstream", 60)
        Recorder.seen.clear()
        yield started
    server.shutdown()


def error_of(reply):
    assert "status" in reply, reply
    return reply["status"], json.loads(reply["body"])["error"]


def test_paths_of_the_engines_operator(network):
    for method, path in [("GET", "/slots"), ("GET", "/metrics"), ("POST", "/lora-adapters"), ("POST", "/props"), ("DELETE", "/api/delete"),
                         ("POST", "/tokenize"), ("GET", "/v1/models"), ("POST", "/v1/chat/completions?x=y"), ("POST", "/v1/../slots"),
                         ("DELETE", "/v1/chat/completions")]:
        for model in (MODEL, UPSTREAM_MODEL):
            status, error = error_of(network.stranger.ask({"model": model}, path, model, method))
            assert (status, error["code"]) == (404, "unknown_url"), (method, path, model)
    assert Recorder.seen == []


def test_what_an_upstream_would_fetch_or_serve_besides(network):
    pictures = [{"type": "image_url", "image_url": {"url": url}} for url in ("http://10.0.0.1/a", "file:///etc/passwd", "http://localhost/x")]
    for part in pictures:
        ask = {"model": UPSTREAM_MODEL, "messages": [{"role": "user", "content": [part]}]}
        status, error = error_of(network.stranger.ask(ask, model=UPSTREAM_MODEL))
        assert (status, error["code"]) == (400, "unsupported_media")
    status, error = error_of(network.stranger.ask(question("Hello", model="another"), model=UPSTREAM_MODEL))
    assert (status, error["code"]) == (400, "wrong_model")
    assert Recorder.seen == []
    hidden = {"model": UPSTREAM_MODEL, "messages": [{"type": "tool_use", "role": "user", "content": [pictures[0]]}]}
    assert error_of(network.stranger.ask(hidden, model=UPSTREAM_MODEL))[1]["code"] == "unsupported_media"
    for more in ({"Model": "another"}, {"n": "1000"}, {"chat_template_kwargs": {"chat_template": "{{ 1 }}"}}, {"structural_tag": "{}"},
                 {"tools": [{"type": "mcp", "server_url": "http://10.0.0.1/"}]}):
        status, error = error_of(network.stranger.ask({**question("Hello", model=UPSTREAM_MODEL), **more}, model=UPSTREAM_MODEL))
        assert status == 400 and error["param"], (more, error)
    assert Recorder.seen == []
    # Members that nobody here knows, and those that cost the operator, do not reach it; what clients send does.
    ask = {**question("Hello", model=UPSTREAM_MODEL), "Messages": [], "service_tier": "priority", "store": True, "user": "u", "top_k": 3}
    assert network.stranger.ask(ask, model=UPSTREAM_MODEL)["status"] == 200
    [(method, path, body)] = Recorder.seen
    assert (method, path) == ("POST", "/v1/chat/completions")
    assert json.loads(body) == {**question("Hello", model=UPSTREAM_MODEL), "user": "u", "top_k": 3}


def nested_types(levels):
    schema = {"type": "null"}
    for _ in range(levels):
        schema = {"type": ["array", "array"], "items": schema}
    return schema


HOSTILE = {
    "brackets": {"grammar": "root ::= " + "(" * 60000 + '"a"' + ")" * 60000},
    "alternatives": {"grammar": "root ::= (" + " | ".join(['"a"'] * 1000) + ")*"},
    "places": {"grammar": "root ::= " + "[a-z]* " * 30},
    "pattern": {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "string", "pattern": "^" + "[a-z]*" * 30 + "$"}}}},
    "properties": {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {
        "type": "object", "properties": {f"p{i}": {"type": "string"} for i in range(5000)}}}}},
    "types": {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": nested_types(25)}}},
    "definitions": {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"$ref": "#/$defs/d0", "$defs": {
        **{f"d{i}": {"allOf": [{"$ref": f"#/$defs/d{i + 1}"}] * 8, "anyOf": [{"$ref": f"#/$defs/d{i + 1}"}] * 2} for i in range(20)},
        "d20": {"type": "object", "properties": {"a": {"type": "null"}}}}}}}},
    "itself": {"tools": [{"type": "function", "function": {"name": "f", "parameters": {"allOf": [{"$ref": "#/$defs/a"}], "$defs": {
        "a": {"$ref": "#/$defs/a"}}}}}]},
    "itself again": {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {
        "allOf": [{"$ref": "#/$defs/a"}], "$defs": {"a": {"$ref": "#/$defs/a"}}}}}},
    "decoy": {"tools": [{"type": "function", "function": {}, "parameters": nested_types(25)}]},
    "default": {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {
        "type": "object", "properties": {"default": nested_types(25)}}}}},
    "repetitions": {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {
        "type": "string", "pattern": "^" + "(" * 6 + "[a-z]{0,10}" + "){0,10}" * 6 + "$"}}}},
    "probabilities": {"logprobs": True, "top_logprobs": 1000000},
    "slots": {"id_slot": 0},
    "answers": {"n": 1000},
}


@pytest.mark.parametrize("what", HOSTILE)
def test_one_request_stops_no_engine(network, what):
    before = sorted(network.engines())
    assert before
    # As a client that retries.
    for _ in range(3):
        status, error = error_of(network.stranger.ask({**question("Hello"), **HOSTILE[what]}))
        assert status == 400 and error["message"] and error["param"], error
        assert network.complete("Say hello.", max_tokens=4, timeout=20)
    assert sorted(network.engines()) == before


def test_a_body_of_a_hundred_thousand_levels(network):
    before = sorted(network.engines())
    body = json.dumps(question("Hello"))[:-1] + ', "x": ' + "[" * 100000 + "]" * 100000 + "}"
    status, error = error_of(network.stranger.ask(body))
    assert (status, error["code"]) == (400, "invalid_json")
    assert network.complete("Say hello.", max_tokens=4, timeout=20)
    assert sorted(network.engines()) == before


@pytest.mark.parametrize("body, param", [
    ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]}]}, "messages"),
    ({"tools": [{"type": "web_search"}]}, "tools"),
    ({"messages": [{"content": "x"}]}, "messages"),
    ({"response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "string", "pattern": r"^\d{3}$"}}}}, "response_format"),
    ({"response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "string", "pattern": "[0-9]+"}}}}, "response_format"),
])
def test_a_clients_mistake_is_named_and_no_other_node_is_asked(network, body, param):
    retried = network.status()["requests"]["retried"]
    reply = web.post(network.api + "/v1/chat/completions", json={**question("Hello"), **body}, timeout=30)
    assert reply.status_code == 400 and reply.json()["error"]["param"] == param, reply.text
    assert network.status()["requests"]["retried"] == retried


def test_honest_forms_are_answered(network):
    node = {"type": "object", "properties": {"value": {"type": "integer", "maximum": 9}, "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}},
            "required": ["value", "next"], "additionalProperties": False}
    schema = {"type": "object", "properties": {"head": {"$ref": "#/$defs/node"}, "default": {"type": ["string", "null"], "maxLength": 3}},
              "required": ["default", "head"], "$defs": {"node": node}}
    reply = web.post(network.api + "/v1/chat/completions", timeout=60, json={
        **question("A list, please.", max_tokens=200), "temperature": 0,
        "response_format": {"type": "json_schema", "json_schema": {"name": "list", "schema": schema}}})
    assert reply.status_code == 200 and reply.json()["choices"][0]["message"]["content"].startswith("{"), reply.text
    tools = [{"name": "f", "description": "d", "input_schema": {"type": "object", "properties": {"a": {"type": "string"}}}}]
    count = web.post(network.api + "/v1/messages/count_tokens", timeout=60,
                     json={"model": MODEL, "messages": [{"role": "user", "content": "Hello"}], "tools": tools})
    assert count.status_code == 200 and count.json()["input_tokens"] > 0, count.text
