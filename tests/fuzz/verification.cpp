// Transactions of verification from hostile verifiers. The input is cut into pieces: a byte that says what comes next,
// a byte of length (0: the rest), and the bytes of a transaction, which are signed by one of the verifiers where the
// first byte asks for it; or a step of time. Whatever comes, the state is restored from its own leaves, and within its
// limits.

#include <google/protobuf/stubs/logging.h>

#include "base/random.h"
#include "fuzz_check.h"
#include "verification/state.h"
#include "verification/verification.pb.h"

using namespace planetserve;
using namespace planetserve::verification;

namespace {

struct Scene {
    Scene() {
        SeededRandom random(1);
        std::vector<Verifier> set;
        for (int i = 0; i < 2; ++i) {
            identities.push_back(crypto::Identity::generate(random));
            set.push_back({identities.back().id(), 1});
        }
        Parameters parameters;
        parameters.epoch_ms = 10'000;
        parameters.draw_ms = parameters.leader_ms = parameters.recheck_ms = parameters.commit_ms =
            parameters.reveal_ms = 1'000;
        machine.emplace(chain, set, parameters);
        // An epoch with a report, so that votes are reached.
        machine->begin_block(chain.genesis, 3);
        for (const auto& identity : identities)
            take(identity, Draw{crypto::vrf_prove(identity, machine->alpha(Purpose::draw))});
        machine->begin_block(chain.genesis + 1'001ms, 3);
        for (const auto& identity : identities)
            if (machine->epoch().leader(0) == identity.id())
                take(identity, Report{crypto::vrf_prove(identity, machine->alpha(Purpose::plan)), {}, {NodeId{{1}}}});
        check(machine->epoch().report.has_value(), "a report is taken");
    }
    template <typename Body>
    void take(const crypto::Identity& identity, Body body) {
        (void)machine->apply(Transaction{chain.network, identity.id(), 0, std::move(body)});
    }

    Chain chain{"fuzz", wire::NetworkId{{1}}, UnixTime{1'000}};
    std::vector<crypto::Identity> identities;
    std::optional<State> machine;
};

// The bytes as a transaction, with network, sender and epoch set right, signed.
std::optional<Bytes> make_transaction(const Scene& scene, const State& machine, std::size_t who, ByteView bytes) {
    proto::Transaction message;
    if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return std::nullopt;
    const auto& identity = scene.identities[who];
    message.set_network(to_string(scene.chain.network.bytes()));
    message.set_sender(to_string(identity.id().bytes()));
    message.set_epoch(machine.epoch().number);
    if (message.has_reveal() && machine.epoch().report) {
        // Committed to just now, where the time is right.
        Transaction commit{scene.chain.network, identity.id(), machine.epoch().number, Commit{}};
        Reveal reveal;
        for (const auto& item : message.reveal().scores())
            if (auto score = score_from_proto(item)) reveal.scores.push_back(*score);
        message.mutable_reveal()->set_salt(std::string(32, 0));
        commit.body = Commit{commitment(scene.chain.network, machine.epoch().number, identity.id(),
                                        machine.epoch().report->transcript, reveal)};
        if (machine.schedule().phase(machine.epoch().number, machine.time()) == Phase::commit)
            return sign(commit, identity);
    }
    proto::SignedTransaction envelope;
    envelope.set_transaction(message.SerializeAsString());
    envelope.set_signature(
        to_string(identity.sign("planetserve verification v1", as_bytes(envelope.transaction())).bytes()));
    return to_bytes(envelope.SerializeAsString());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const Scene scene;
    static const bool quiet = [] {
        google::protobuf::SetLogHandler(nullptr);
        return true;
    }();
    check(quiet, "quiet");
    State machine = *scene.machine;
    ByteReader reader(ByteView(data, size));
    for (int steps = 0; reader.remaining() > 0 && steps < 64; ++steps) {
        std::uint8_t what = reader.u8();
        if (what % 4 == 3) {
            machine.begin_block(machine.time() + std::chrono::milliseconds(what * 10), what % 5);
            continue;
        }
        std::uint8_t length = reader.u8();
        ByteView piece = length == 0 ? reader.rest() : reader.bytes(std::min<std::size_t>(length, reader.remaining()));
        Bytes bytes = to_bytes(piece);
        if (what % 4 != 2) {
            auto made = make_transaction(scene, machine, what % 2, piece);
            if (!made) continue;
            bytes = *std::move(made);
        }
        auto parsed = parse_transaction(bytes);
        bool admitted = parsed && machine.check(*parsed, machine.time());
        bool taken = machine.apply(bytes).has_value();
        check(!taken || admitted, "what is taken was admitted");
    }
    (void)machine.commit();
    for (const auto& [node, standing] : machine.standings()) check(standing.reputation <= one, "a reputation in range");
    State restored = *scene.machine;
    check(restored.restore(machine.leaves(), machine.time()).has_value(), "restored from its leaves");
    check(restored.epoch() == machine.epoch() && restored.standings() == machine.standings() &&
              restored.ballots() == machine.ballots(),
          "restored as it was");
    return 0;
}
