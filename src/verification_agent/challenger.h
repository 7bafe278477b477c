// Puts challenges to model nodes through the overlay, as any user's request goes (docs/protocols/verification.md).
//
// Pure: the overlay is a Service, time comes in. Not thread-safe.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "inference/service.h"
#include "scoring/signed_answer.h"
#include "verification_agent/challenge.h"

namespace planetserve::verification_agent {

struct ChallengeTask {
    NodeId node;
    std::string model;
    std::uint32_t index = 0;  // of the node's challenges in this epoch
    Challenge challenge;
    IdempotencyId id;    // of the request; its nonce follows from it
    Time at{};           // when to ask
    Time until{};        // after that there is no answer
    Duration least{};    // it is not asked, and nothing told of it, when its turn comes with less time than that
    bool there = false;  // the node is to answer itself, as if it had answered the conversation so far
};

// What came of it.
enum class ChallengeOutcome : std::uint8_t {
    // With an answer that a node signed: the one that was asked, or the one to which it handed the request on, as it
    // may with any request. It speaks of the one that signed.
    answered,
    // An answer of the asked node that nobody stands for, or that is to something else, or that it broke off.
    not_signed,
    no_answer,
    // Nothing to hold against the node: such an answer of another one, to which it handed the request on; a stream that
    // came whole without a signature, as those of some models do; an answer that was still coming when time was over;
    // silence, where there was too little time to answer (time_to_answer()): what is not streamed shows nothing until
    // it
    // is whole.
    no_verdict,
};
std::string_view to_string(ChallengeOutcome outcome);

struct ChallengeResult {
    ChallengeTask task;
    ChallengeOutcome outcome = ChallengeOutcome::no_answer;
    std::optional<scoring::SignedAnswer> answer = std::nullopt;  // when answered
    std::string why = {};                                        // in words, when not
};

class Challenger {
public:
    using OnResult = std::function<void(ChallengeResult)>;
    static constexpr std::size_t reply_limit = 1 << 20;
    static constexpr std::size_t stream_limit = 32 << 20;
    static constexpr std::size_t most_tasks = 4096;
    // Requests at once: one to a node, and few where there are few nodes, which may share a machine. One that is silent
    // does not keep the others from being asked.
    static std::size_t most_at_once(std::size_t tasks) { return std::clamp<std::size_t>(tasks / 2, 2, 16); }

    // The overlay outlives the challenger. on_result is told from within on_timer and must not
    // destroy the challenger.
    Challenger(inference::Service& overlay, const Clock& clock, OnResult on_result);
    ~Challenger();

    // exhausted: more tasks than may wait.
    Status add(ChallengeTask task);
    // Forgets all that wait or are under way; no result is told.
    void clear();
    std::size_t tasks() const { return waiting_.size() + running_.size(); }

    void on_timer();
    Time next_timer() const;

private:
    class Asking;
    using Waiting = std::multimap<Time, ChallengeTask>;

    // The first that can be asked next: its node answers nothing else. The end where there is none, or no room.
    Waiting::const_iterator next() const;

    inference::Service& overlay_;
    const Clock& clock_;
    OnResult on_result_;
    Waiting waiting_;
    std::map<std::uint64_t, std::unique_ptr<Asking>> running_;
    std::uint64_t next_number_ = 1;
    std::size_t at_once_ = 1;
};

}  // namespace planetserve::verification_agent
