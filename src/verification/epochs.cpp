#include "verification/epochs.h"

#include <algorithm>

#include "verification/verification.pb.h"

namespace planetserve::verification {

namespace {

using Digest32 = FixedBytes<struct Digest32Tag, 32>;

template <typename Nodes, typename To>
bool nodes_from(const Nodes& message, To& out) {
    for (const std::string& item : message) {
        auto node = NodeId::from(as_bytes(item));
        if (!node) return false;
        out.insert(out.end(), *node);
    }
    return true;
}

}  // namespace

Bytes alpha(std::string_view chain_id, std::uint64_t epoch, const Seed& seed, Purpose purpose) {
    Bytes bytes;
    ByteWriter writer(bytes);
    writer.bytes(as_bytes("planetserve epoch v1"));
    writer.u8(0);
    writer.u8(static_cast<std::uint8_t>(purpose));
    writer.u64(chain_id.size());
    writer.bytes(as_bytes(chain_id));
    writer.u64(epoch);
    writer.bytes(seed.bytes());
    return to_bytes(ByteView(crypto::sha256(bytes)));
}

Seed first_seed(const wire::NetworkId& network) {
    const std::array<std::uint8_t, 1> zero{0};
    return *Seed::from(crypto::sha256({as_bytes("planetserve first seed v1"), zero, network.bytes()}));
}

Seed next_seed(std::uint64_t epoch, const Seed& seed, const std::map<NodeId, crypto::VrfOutput>& draws) {
    std::vector<crypto::VrfOutput> outputs;
    for (const auto& [id, output] : draws) outputs.push_back(output);
    std::ranges::sort(outputs);
    Bytes bytes;
    ByteWriter writer(bytes);
    writer.bytes(as_bytes("planetserve next seed v1"));
    writer.u8(0);
    writer.u64(epoch);
    writer.bytes(seed.bytes());
    for (const auto& output : outputs) writer.bytes(output.bytes());
    return *Seed::from(crypto::sha256(bytes));
}

std::vector<NodeId> Epoch::order() const {
    std::vector<std::pair<crypto::VrfOutput, NodeId>> sorted;
    for (const auto& [id, output] : draws) sorted.emplace_back(output, id);
    std::ranges::sort(sorted);
    std::vector<NodeId> order;
    for (const auto& [output, id] : sorted) order.push_back(id);
    return order;
}

std::optional<NodeId> Epoch::leader(std::uint32_t turn) const {
    auto drawn = order();
    if (turn >= drawn.size()) return std::nullopt;
    return drawn[turn];
}

std::optional<NodeId> Epoch::second() const {
    if (!report || draws.size() < 2) return std::nullopt;
    auto drawn = order();
    auto at = static_cast<std::size_t>(std::ranges::find(drawn, report->leader) - drawn.begin());
    return drawn[(at + 1) % drawn.size()];
}

std::optional<ChallengePlan> Epoch::plan(const Parameters& parameters) const {
    if (!report) return std::nullopt;
    return plan_of(report->plan_output, parameters);
}

ChallengePlan Epoch::plan_of(const crypto::VrfOutput& output, const Parameters& parameters) const {
    return {output, population, parameters.nodes_per_epoch, parameters.challenges_per_node};
}

bool Epoch::gave_no_answer(const NodeId& node) const {
    return report && recheck && std::ranges::binary_search(report->unanswered, node) &&
           std::ranges::binary_search(recheck->unanswered, node);
}

Bytes encode_epoch(const Epoch& epoch) {
    proto::Epoch message;
    message.set_number(epoch.number);
    message.set_seed(to_string(epoch.seed.bytes()));
    for (const auto& [verifier, output] : epoch.draws) {
        auto* draw = message.add_draws();
        draw->set_verifier(to_string(verifier.bytes()));
        draw->set_output(to_string(output.bytes()));
    }
    message.set_frozen(epoch.frozen);
    message.set_population(epoch.population);
    if (epoch.report) {
        auto* report = message.mutable_report();
        report->set_leader(to_string(epoch.report->leader.bytes()));
        report->set_plan_output(to_string(epoch.report->plan_output.bytes()));
        report->set_transcript(to_string(epoch.report->transcript));
        for (const NodeId& node : epoch.report->unanswered) report->add_unanswered(to_string(node.bytes()));
    }
    if (epoch.recheck) {
        auto* recheck = message.mutable_recheck();
        recheck->set_verifier(to_string(epoch.recheck->verifier.bytes()));
        for (const NodeId& node : epoch.recheck->unanswered) recheck->add_unanswered(to_string(node.bytes()));
    }
    for (const NodeId& id : epoch.equivocators) message.add_equivocators(to_string(id.bytes()));
    message.set_settled(epoch.settled);
    return to_bytes(message.SerializeAsString());
}

Result<Epoch> parse_epoch(ByteView bytes) {
    auto wrong = [] { return fail(ErrorCode::malformed, "an epoch that does not parse"); };
    proto::Epoch message;
    if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return wrong();
    Epoch epoch;
    epoch.number = message.number();
    auto seed = Seed::from(as_bytes(message.seed()));
    if (!seed) return wrong();
    epoch.seed = *seed;
    for (const auto& item : message.draws()) {
        auto verifier = NodeId::from(as_bytes(item.verifier()));
        auto output = crypto::VrfOutput::from(as_bytes(item.output()));
        if (!verifier || !output || !epoch.draws.emplace(*verifier, *output).second) return wrong();
    }
    epoch.frozen = message.frozen();
    epoch.population = message.population();
    if (message.has_report()) {
        auto leader = NodeId::from(as_bytes(message.report().leader()));
        auto output = crypto::VrfOutput::from(as_bytes(message.report().plan_output()));
        auto transcript = Digest32::from(as_bytes(message.report().transcript()));
        if (!leader || !output || !transcript) return wrong();
        epoch.report = TakenReport{*leader, *output, transcript->value, {}};
        if (!nodes_from(message.report().unanswered(), epoch.report->unanswered)) return wrong();
    }
    if (message.has_recheck()) {
        auto verifier = NodeId::from(as_bytes(message.recheck().verifier()));
        if (!verifier) return wrong();
        epoch.recheck = TakenRecheck{*verifier, {}};
        if (!nodes_from(message.recheck().unanswered(), epoch.recheck->unanswered)) return wrong();
    }
    if (!nodes_from(message.equivocators(), epoch.equivocators)) return wrong();
    epoch.settled = message.settled();
    return epoch;
}

}  // namespace planetserve::verification
