#include "verification_agent/statement_sender.h"

#include "base/requires.h"

namespace planetserve::verification_agent {

StatementSender::StatementSender(const wire::NetworkId& network, const crypto::Identity& identity, AgentOutput& output,
                                 OwnStatements remembered)
    : network_(network), identity_(identity), output_(output), own_(std::move(remembered)) {}

bool StatementSender::has(StatementKind kind, std::uint64_t epoch) const {
    return own_.epoch == epoch && own_.statements.contains(std::string(name_of(kind)));
}

void StatementSender::prepare(StatementKind kind, std::uint64_t epoch, Body body) {
    if (own_.epoch != epoch) own_ = {.epoch = epoch};
    own_.statements.insert_or_assign(std::string(name_of(kind)), sign(std::move(body), epoch));
}

void StatementSender::send(StatementKind kind, std::uint64_t epoch, Now now) {
    REQUIRES(has(kind, epoch));
    if (due(kind, epoch, now)) output_.submit(own_.statements.at(std::string(name_of(kind))));
}

void StatementSender::send_unprepared(StatementKind kind, std::uint64_t epoch, Body body, Now now) {
    if (due(kind, epoch, now)) output_.submit(sign(std::move(body), epoch));
}

Bytes StatementSender::sign(Body body, std::uint64_t epoch) const {
    return verification::sign({network_, identity_.id(), epoch, std::move(body)}, identity_);
}

bool StatementSender::due(StatementKind kind, std::uint64_t epoch, Now now) {
    auto [sent, first] = sent_.try_emplace({epoch, kind}, now.time);
    if (!first && now.time < sent->second + repeat_after) return false;
    sent->second = now.time;
    while (sent_.begin()->first.first + 1 < epoch) sent_.erase(sent_.begin());
    return true;
}

}  // namespace planetserve::verification_agent
