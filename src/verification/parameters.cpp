#include "verification/parameters.h"

#include "verification/verification.pb.h"

namespace planetserve::verification {

Status check(const Parameters& p) {
    auto wrong = [](std::string_view name, std::string_view range) {
        return fail(ErrorCode::invalid_argument,
                    "verification." + std::string(name) + " must be " + std::string(range));
    };
    constexpr std::int64_t day = 86'400'000;
    if (p.epoch_ms < 1'000 || p.epoch_ms > 7 * day) return wrong("epoch_ms", "from a second to a week");
    for (auto [name, value] : {std::pair("draw_ms", p.draw_ms),
                               {"leader_ms", p.leader_ms},
                               {"recheck_ms", p.recheck_ms},
                               {"commit_ms", p.commit_ms},
                               {"reveal_ms", p.reveal_ms}})
        if (value < 1 || value > p.epoch_ms) return wrong(name, "from 1 to epoch_ms");
    if (p.leaders < 1 || p.leaders > 100) return wrong("leaders", "from 1 to 100");
    if (p.draw_ms + p.leader_ms * p.leaders + p.recheck_ms + p.commit_ms + p.reveal_ms > p.epoch_ms)
        return wrong("epoch_ms", "at least the sum of the phases");
    if (p.nodes_per_epoch < 1 || p.nodes_per_epoch > maximum_nodes_per_epoch / 2)
        return wrong("nodes_per_epoch", "from 1 to 128");
    if (p.challenges_per_node < 1 || p.challenges_per_node > 64) return wrong("challenges_per_node", "from 1 to 64");
    if (p.alpha > one || p.beta > one - p.alpha) return wrong("alpha + beta", "at most 1,000,000");
    if (p.gamma < 1 || p.gamma > one) return wrong("gamma", "from 1 to 1,000,000");
    if (p.window < 1 || p.window > maximum_window) return wrong("window", "from 1 to 32");
    for (auto [name, value] : {std::pair("tau", p.tau), {"trust", p.trust}, {"initial", p.initial}, {"far", p.far}})
        if (value > one) return wrong(name, "at most 1,000,000");
    if (p.far_permitted >= record_window) return wrong("far_permitted", "below 16");
    if (p.forget_epochs < 1 || p.forget_epochs > 1'000'000) return wrong("forget_epochs", "from 1 to 1,000,000");
    return {};
}

Bytes encode(const Parameters& p) {
    proto::Parameters message;
    message.set_epoch_ms(p.epoch_ms);
    message.set_draw_ms(p.draw_ms);
    message.set_leader_ms(p.leader_ms);
    message.set_leaders(p.leaders);
    message.set_recheck_ms(p.recheck_ms);
    message.set_commit_ms(p.commit_ms);
    message.set_reveal_ms(p.reveal_ms);
    message.set_nodes_per_epoch(p.nodes_per_epoch);
    message.set_challenges_per_node(p.challenges_per_node);
    message.set_alpha(p.alpha);
    message.set_beta(p.beta);
    message.set_gamma(p.gamma);
    message.set_window(p.window);
    message.set_tau(p.tau);
    message.set_trust(p.trust);
    message.set_initial(p.initial);
    message.set_far(p.far);
    message.set_far_permitted(p.far_permitted);
    message.set_forget_epochs(p.forget_epochs);
    return to_bytes(message.SerializeAsString());
}

Result<Parameters> parse_parameters(ByteView bytes) {
    proto::Parameters message;
    if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
        return fail(ErrorCode::malformed, "parameters of verification that do not parse");
    Parameters p;
    p.epoch_ms = message.epoch_ms();
    p.draw_ms = message.draw_ms();
    p.leader_ms = message.leader_ms();
    p.leaders = message.leaders();
    p.recheck_ms = message.recheck_ms();
    p.commit_ms = message.commit_ms();
    p.reveal_ms = message.reveal_ms();
    p.nodes_per_epoch = message.nodes_per_epoch();
    p.challenges_per_node = message.challenges_per_node();
    p.alpha = message.alpha();
    p.beta = message.beta();
    p.gamma = message.gamma();
    p.window = message.window();
    p.tau = message.tau();
    p.trust = message.trust();
    p.initial = message.initial();
    p.far = message.far();
    p.far_permitted = message.far_permitted();
    p.forget_epochs = message.forget_epochs();
    if (auto checked = check(p); !checked) return std::unexpected(checked.error());
    return p;
}

}  // namespace planetserve::verification
