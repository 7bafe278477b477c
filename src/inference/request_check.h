// Whether a model node lets a user's request through to its engine. Users are strangers, and an engine was made for its
// operator: it obeys members that choose a slot or an adapter, fetches what an URL names, and ends on some inputs.
//
// A request is refused, or passes as it came to llama-server: its body's digest is signed. For an upstream it is
// written anew (request_members.h). Pure.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "inference/grammar_check.h"
#include "inference/schema_check.h"
#include "inference/service.h"

namespace planetserve::inference {

struct RequestLimits {
    std::uint64_t choices = 8;         // answers of one request (n), and prompts: each may take a slot
    std::uint64_t listed_tokens = 20;  // top_logprobs: OpenAI's limit; all tokens of a vocabulary are megabytes each
    std::size_t tools = 128;           // OpenAI's limit
    std::size_t stops = 32;            // texts that end the answer: each is sought at each token
    std::size_t biased_tokens = 1024;
    std::size_t values = 1 << 20;         // of all kinds in one body: a prompt of a million tokens as numbers
    std::size_t context_bytes = 64;       // of the prompt for each token of the context: ten times what text takes
    std::size_t spare_bytes = 256 << 10;  // of the prompt besides: a short context still needs tools
    GrammarLimits grammar{};
    SchemaLimits schema{};
};

struct EngineTraits {
    enum class Kind { llama_server, other };
    Kind kind = Kind::llama_server;
    std::uint32_t context = 0;  // tokens of one request; 0: not known
    // Users may send grammars and regular expressions. The operator trusts them: see grammar_check.h.
    bool grammars = false;
    // Hosts whose pictures the engine may fetch. Pictures in the body (data:) always pass to an engine of another kind;
    // our llama-server is started without what reads pictures.
    std::vector<std::string> media_hosts{};
};

// What the client is told: an error in OpenAI's form.
struct Refusal {
    unsigned status = 400;
    std::string message;
    std::string param{};
    std::string code{};
};

// Of a request that may go to the engine.
struct Checked {
    std::optional<std::uint64_t> tokens{};  // of all its answers together, at the most; empty: it sets no bound
    std::optional<Bytes> body{};            // what the engine gets in place of the body, where that is another
};

// Takes time and memory in proportion to the body.
std::expected<Checked, Refusal> check_request(const Request& request, const EngineTraits& engine,
                                              const RequestLimits& limits);

// {"error": {...}}
std::string error_body(const Refusal& refusal);

}  // namespace planetserve::inference
