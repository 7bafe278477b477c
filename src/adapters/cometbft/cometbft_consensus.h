// The consensus engine of a committee's verification node: CometBFT, run as a child, agrees with the other validators
// on blocks, and the registry applies them as its application (docs/protocols/committee.md).
//
// The two are a pair. When CometBFT ends or the application fails, both restart: the application from the store,
// CometBFT from its own data. CometBFT then repeats the blocks that the application lacks. Meanwhile the node serves
// the last list that was proven. Everything happens on the thread that runs the io_context.
#pragma once

#include <sys/types.h>

#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>
#include <filesystem>
#include <functional>
#include <memory>

#include "adapters/cometbft/cometbft_home.h"
#include "base/endpoint.h"
#include "committee/consensus_engine.h"
#include "committee/store.h"
#include "crypto/identity.h"

namespace planetserve::adapters {

struct CometbftOptions {
    std::filesystem::path program;
    std::filesystem::path home;  // CometBFT's own directory
    std::filesystem::path log;   // what it prints; put by as LOG.1 when over 16 MiB at a start
    Endpoint listen;             // for the other validators
    std::optional<StateSync> state_sync = std::nullopt;
    Duration stop_grace = 6s;  // between SIGTERM and SIGKILL
    Duration shortest_backoff = 200ms;
    Duration longest_backoff = 30s;
};

enum class ConsensusState : std::uint8_t {
    starting,     // CometBFT does not answer yet
    catching_up,  // CometBFT gets the blocks it missed from the other validators
    running,
    failing,  // CometBFT ended and will be started again
    stopped,
};
using planetserve::to_string;  // which this one would hide
std::string_view to_string(ConsensusState state);

struct ConsensusStatus {
    ConsensusState state = ConsensusState::stopped;
    std::string reason;        // in words; empty while running
    pid_t pid = 0;             // CometBFT's; 0 when it does not run
    std::uint64_t starts = 0;  // of CometBFT
    std::int64_t height = 0;   // of the last block applied
    crypto::Digest app_hash{};
    std::size_t peers = 0;           // other validators it has links with
    std::int64_t proven_height = 0;  // of the header that proves the list which is served; 0 without one
    std::uint64_t transactions = 0;  // in blocks applied since the last start
};

class CometbftConsensus final : public committee::ConsensusEngine {
public:
    using StateHandler = std::function<void(ConsensusState, const std::string& reason)>;

    // The genesis names the identity among its validators. All but the options outlive this. The handler hears of every
    // change of state, from the io_context.
    CometbftConsensus(boost::asio::io_context& context, const committee::Genesis& genesis,
                      const crypto::Identity& identity, committee::Store& store, const Clock& clock,
                      CometbftOptions options, StateHandler on_state);
    // Kills CometBFT if it still runs. Call stop() before and wait for `stopped` to end it in good order.
    ~CometbftConsensus() override;

    // Fails when the genesis does not name this node, or when the store or CometBFT's home cannot be used.
    Status run();
    void stop();

    void submit(ByteView transaction, UnixTime now, Answer answer) override;
    Result<committee::StateHeader> proof(UnixTime now) override;
    Bytes proven_state() const override;

    ConsensusStatus status() const;
    // The state after the last decided block; null before run(). Valid until the next event.
    const committee::Registry* registry() const;

private:
    class Pair;
    std::unique_ptr<Pair> pair_;
};

}  // namespace planetserve::adapters
