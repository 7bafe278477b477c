#include "verification/transaction.h"

#include <algorithm>

#include "verification/verification.pb.h"

namespace planetserve::verification {

namespace {

constexpr std::string_view context = "planetserve verification v1";

std::unexpected<Error> wrong(std::string_view what) {
    return fail(ErrorCode::malformed, "a transaction of verification with " + std::string(what));
}

template <typename Nodes>
Result<std::vector<NodeId>> nodes_from(const Nodes& message) {
    if (message.size() > static_cast<int>(maximum_nodes_per_epoch)) return wrong("too many nodes");
    std::vector<NodeId> nodes;
    for (const std::string& item : message) {
        auto node = NodeId::from(as_bytes(item));
        if (!node) return wrong("a node id of the wrong size");
        if (!nodes.empty() && !(nodes.back() < *node)) return wrong("nodes out of order");
        nodes.push_back(*node);
    }
    return nodes;
}

Result<Report> from_proto(const proto::Report& message) {
    auto proof = crypto::VrfProof::from(as_bytes(message.plan_proof()));
    auto transcript = FixedBytes<struct TranscriptTag, 32>::from(as_bytes(message.transcript()));
    if (!proof || !transcript) return wrong("a proof or digest of the wrong size");
    auto nodes = nodes_from(message.unanswered());
    if (!nodes) return std::unexpected(nodes.error());
    return Report{*proof, transcript->value, *std::move(nodes)};
}

Result<Reveal> from_proto(const proto::Reveal& message) {
    auto salt = Salt::from(as_bytes(message.salt()));
    if (!salt) return wrong("a salt of the wrong size");
    if (message.scores_size() > static_cast<int>(maximum_nodes_per_epoch)) return wrong("too many scores");
    Reveal reveal{*salt, {}};
    for (const auto& item : message.scores()) {
        auto score = score_from_proto(item);
        if (!score) return std::unexpected(score.error());
        if (!reveal.scores.empty() && !(reveal.scores.back().node < score->node)) return wrong("scores out of order");
        reveal.scores.push_back(*score);
    }
    return reveal;
}

template <typename Body>
Status take(Result<Body> body, Transaction& transaction) {
    if (!body) return std::unexpected(body.error());
    transaction.body = *std::move(body);
    return {};
}

Status parse_body(const proto::Transaction& message, Transaction& transaction) {
    switch (message.body_case()) {
        case proto::Transaction::kDraw: {
            auto proof = crypto::VrfProof::from(as_bytes(message.draw().proof()));
            if (!proof) return wrong("a proof of the wrong size");
            transaction.body = Draw{*proof};
            return {};
        }
        case proto::Transaction::kReport:
            return take(from_proto(message.report()), transaction);
        case proto::Transaction::kRecheck: {
            auto nodes = nodes_from(message.recheck().unanswered());
            if (!nodes) return std::unexpected(nodes.error());
            transaction.body = Recheck{*std::move(nodes)};
            return {};
        }
        case proto::Transaction::kCommit: {
            auto digest = FixedBytes<struct CommitTag, 32>::from(as_bytes(message.commit().digest()));
            if (!digest) return wrong("a digest of the wrong size");
            transaction.body = Commit{digest->value};
            return {};
        }
        case proto::Transaction::kReveal:
            return take(from_proto(message.reveal()), transaction);
        case proto::Transaction::BODY_NOT_SET:
            break;
    }
    return wrong("a body that this version does not know");
}

struct BodyWriter {
    proto::Transaction& out;

    void operator()(const Draw& draw) const { out.mutable_draw()->set_proof(to_string(draw.proof.bytes())); }
    void operator()(const Report& report) const {
        auto* message = out.mutable_report();
        message->set_plan_proof(to_string(report.plan_proof.bytes()));
        message->set_transcript(to_string(report.transcript));
        for (const NodeId& node : report.unanswered) message->add_unanswered(to_string(node.bytes()));
    }
    void operator()(const Recheck& recheck) const {
        auto* message = out.mutable_recheck();
        for (const NodeId& node : recheck.unanswered) message->add_unanswered(to_string(node.bytes()));
    }
    void operator()(const Commit& commit) const { out.mutable_commit()->set_digest(to_string(commit.digest)); }
    void operator()(const Reveal& reveal) const {
        auto* message = out.mutable_reveal();
        message->set_salt(to_string(reveal.salt.bytes()));
        for (const Score& score : reveal.scores) to_proto(score, *message->add_scores());
    }
};

}  // namespace

void to_proto(const Score& score, proto::Score& out) {
    out.set_node(to_string(score.node.bytes()));
    out.set_outcome(static_cast<std::uint32_t>(score.outcome));
    out.set_credit(score.credit);
}

Result<Score> score_from_proto(const proto::Score& message) {
    auto node = NodeId::from(as_bytes(message.node()));
    if (!node || message.outcome() > static_cast<std::uint32_t>(Outcome::inconclusive) || message.credit() > one)
        return wrong("a score out of range");
    Score score{*node, static_cast<Outcome>(message.outcome()), message.credit()};
    if (score.outcome != Outcome::credit && score.credit != 0) return wrong("a credit where there is none");
    return score;
}

crypto::Digest commitment(const wire::NetworkId& network, std::uint64_t epoch, const NodeId& verifier,
                          const crypto::Digest& transcript, const Reveal& reveal) {
    Bytes bytes;
    ByteWriter writer(bytes);
    writer.bytes(as_bytes("planetserve scores v1"));
    writer.u8(0);
    writer.bytes(network.bytes());
    writer.u64(epoch);
    writer.bytes(verifier.bytes());
    writer.bytes(transcript);
    writer.bytes(reveal.salt.bytes());
    for (const Score& score : reveal.scores) {
        writer.bytes(score.node.bytes());
        writer.u8(static_cast<std::uint8_t>(score.outcome));
        writer.u32(score.credit);
    }
    return crypto::sha256(bytes);
}

Bytes sign(const Transaction& transaction, const crypto::Identity& identity) {
    proto::Transaction message;
    message.set_network(to_string(transaction.network.bytes()));
    message.set_sender(to_string(transaction.sender.bytes()));
    message.set_epoch(transaction.epoch);
    std::visit(BodyWriter{message}, transaction.body);
    proto::SignedTransaction envelope;
    envelope.set_transaction(message.SerializeAsString());
    envelope.set_signature(to_string(identity.sign(context, as_bytes(envelope.transaction())).bytes()));
    return to_bytes(envelope.SerializeAsString());
}

Result<Transaction> parse_transaction(ByteView bytes) {
    if (bytes.size() > maximum_transaction_size) return fail(ErrorCode::invalid_argument, "a transaction over 16 KiB");
    proto::SignedTransaction envelope;
    proto::Transaction message;
    if (!envelope.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) ||
        !message.ParseFromString(envelope.transaction()))
        return fail(ErrorCode::malformed, "a transaction of verification that does not parse");
    auto network = wire::NetworkId::from(as_bytes(message.network()));
    auto sender = NodeId::from(as_bytes(message.sender()));
    auto signature = crypto::Signature::from(as_bytes(envelope.signature()));
    if (!network || !sender || !signature) return wrong("a network, sender or signature of the wrong size");
    if (!crypto::verify(*sender, context, as_bytes(envelope.transaction()), *signature))
        return fail(ErrorCode::authentication, "a transaction that verifier " + sender->brief() + " did not sign");
    Transaction transaction{*network, *sender, message.epoch(), Draw{}};
    if (auto parsed = parse_body(message, transaction); !parsed) return std::unexpected(parsed.error());
    return transaction;
}

}  // namespace planetserve::verification
