#include "committee/transaction.h"

#include "committee/committee.pb.h"

namespace planetserve::committee {

namespace {

constexpr std::string_view context = "planetserve transaction v1";

}  // namespace

Bytes sign(const Transaction& transaction, const crypto::Identity& identity) {
    proto::Transaction message;
    message.set_network(to_string(transaction.network.bytes()));
    message.set_sender(to_string(transaction.sender.bytes()));
    message.set_sequence(transaction.sequence);
    if (const auto* reg = std::get_if<Register>(&transaction.body)) {
        to_proto(reg->descriptor, *message.mutable_register_()->mutable_descriptor());
    } else if (const auto* renew = std::get_if<Renew>(&transaction.body)) {
        auto* load = message.mutable_renew()->mutable_load();
        load->set_running(renew->load.running);
        load->set_queued(renew->load.queued);
        load->set_latency_ms(renew->load.latency_ms);
    } else {
        message.mutable_deregister();
    }
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
        return fail(ErrorCode::malformed, "a transaction that does not parse");
    auto network = wire::NetworkId::from(as_bytes(message.network()));
    auto sender = NodeId::from(as_bytes(message.sender()));
    auto signature = crypto::Signature::from(as_bytes(envelope.signature()));
    if (!network || !sender || !signature)
        return fail(ErrorCode::malformed, "a transaction whose network, sender or signature has the wrong size");
    if (!crypto::verify(*sender, context, as_bytes(envelope.transaction()), *signature))
        return fail(ErrorCode::authentication, "a transaction that node " + sender->brief() + " did not sign");
    Transaction transaction{*network, *sender, message.sequence(), Deregister{}};
    switch (message.body_case()) {
        case proto::Transaction::kRegister: {
            auto descriptor = from_proto(message.register_().descriptor());
            if (!descriptor) return std::unexpected(descriptor.error());
            if (descriptor->id != *sender) return fail(ErrorCode::permission_denied, "a node may register itself only");
            transaction.body = Register{std::move(*descriptor)};
            return transaction;
        }
        case proto::Transaction::kRenew: {
            const auto& load = message.renew().load();
            transaction.body = Renew{{load.running(), load.queued(), load.latency_ms()}};
            return transaction;
        }
        case proto::Transaction::kDeregister:
            return transaction;
        case proto::Transaction::BODY_NOT_SET:
            break;
    }
    return fail(ErrorCode::malformed, "a transaction of a kind that this version does not know");
}

}  // namespace planetserve::committee
