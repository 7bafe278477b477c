// The tokens of an answer that llama-server streams (docs/protocols/scoring.md, "Tokens, at llama-server").
//
// A chat completion that streams does not tell its tokens as one that comes whole does. With `ask_for_streamed_tokens`
// it names, in each event of text, the token that made it and how many there were so far; which were left out shows in
// the numbers, and what they say in the text of the next. This reads the events, takes out again what only the node
// asked for, and puts the answer's tokens together when it ends. Pure: what has to be asked of the engine it says.
#pragma once

#include <boost/json/fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "inference/event_stream.h"
#include "signing/engine_tokens.h"

namespace planetserve::signing {

// The members that make a chat completion's stream tell its tokens; without them what the request itself asks for.
// Nothing where that forbids it. Costs the engine a look at the few candidates that are left of each draw.
std::optional<std::string> streamed_tokens_members(const boost::json::object& request);

class StreamedTokens {
public:
    // What the request asked for itself stays in the events. The token by which the model ends a text, if it is known:
    // the engine leaves it out.
    StreamedTokens(const boost::json::object& request, std::optional<scoring::TokenId> end_token);

    // Events for the client; from the one that tells why the answer ended on they are kept back. exhausted: an event is
    // over the limit, and the stream is of no more use.
    Status take(ByteView bytes, Bytes& out);
    // All that came is known: what is missing can be asked for.
    bool ended() const { return ended_; }

    // After the end: the body of a POST /tokenize whose reply fills the gaps; empty where there are none.
    std::string gaps_request() const;
    // The answer. malformed: it cannot be put together. `gaps` are the tokens of that reply.
    Result<EngineAnswer> answer(std::vector<scoring::TokenId> gaps) const;
    // What was kept back, with a member "planetserve" in the event that ends the answer, unless it is empty.
    Bytes rest(const std::string& signed_answer);

private:
    struct Gap {
        std::size_t at = 0;       // before this one of the tokens
        std::size_t missing = 0;  // so many
        std::string text = {};    // that they make, with the token behind them
    };

    void read(boost::json::value& event);
    void count(const boost::json::value& choice, std::uint64_t predicted);
    void strip(boost::json::value& event) const;

    bool keep_logprobs_ = false;
    bool keep_timings_ = false;
    std::optional<scoring::TokenId> end_token_;
    inference::EventStream events_;
    std::vector<scoring::TokenId> tokens_;
    std::vector<Gap> gaps_;
    std::size_t gap_bytes_ = 0;
    std::uint64_t predicted_ = 0;  // by the last event that named one
    bool usable_ = true;
    bool ended_ = false;
    std::string stop_;  // of the end
    bool truncated_ = false;
    std::uint64_t total_ = 0;
    std::uint64_t prompt_tokens_ = 0;
    std::vector<std::string> kept_;  // events, from the one that ends the answer on
};

}  // namespace planetserve::signing
