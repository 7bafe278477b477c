// The tokens of an answer that llama-server streams (docs/protocols/scoring.md, "Tokens, at llama-server").
//
// A chat completion that streams does not tell its tokens as a whole reply does. With streamed_tokens_members() each
// event of text names the token that made it, and how many there were so far. The numbers show which tokens the engine
// left out; their text comes with the next token. This reads the events, removes what only the node asked for, and puts
// the answer's tokens together at the end. Pure: it says what to ask the engine.
#pragma once

#include <boost/json/fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "inference/event_stream.h"
#include "signing/engine_tokens.h"

namespace planetserve::signing {

// The members that make a chat completion's stream tell its tokens, apart from those that the request has itself.
// Nothing where the request's own members forbid it. They cost the engine a look at the few candidates that are left of
// each draw.
std::optional<std::string> streamed_tokens_members(const boost::json::object& request);

class StreamedTokens {
public:
    // Members that the request asked for itself stay in the events. `end_token` ends the model's texts, if it is known:
    // the engine leaves it out of a stream.
    StreamedTokens(const boost::json::object& request, std::optional<scoring::TokenId> end_token);

    // Appends events for the user to `out`. Keeps back the event that tells why the answer ended, and all after it.
    // exhausted: an event is over the limit, and the stream cannot be read further.
    Status take(ByteView bytes, Bytes& out);
    // The answer has ended: gaps_request() and answer() can be called.
    bool ended() const { return ended_; }

    // The body of a POST /tokenize whose reply fills the gaps; empty where there are none.
    std::string gaps_request() const;
    // The answer. `gaps` are the tokens of that reply. malformed: it cannot be put together.
    Result<EngineAnswer> answer(std::vector<scoring::TokenId> gaps) const;
    // The events that were kept back. The one that ends the answer gets a member "planetserve" with the signed answer,
    // unless that is empty.
    Bytes rest(const std::string& signed_answer);

private:
    struct Gap {
        std::size_t at = 0;       // the gap is before this one of the tokens
        std::size_t missing = 0;  // how many are missing
        std::string text = {};    // of the missing tokens and the one behind them
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
