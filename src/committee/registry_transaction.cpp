#include "committee/registry_transaction.h"

#include "committee/committee.pb.h"

namespace planetserve::committee {

namespace {

constexpr std::string_view transaction_context = "planetserve transaction v1";

Result<Register> parse_register(const proto::SignedDescriptor& message, const Transaction& transaction) {
    auto descriptor = parse_descriptor(as_bytes(message.descriptor()));
    if (!descriptor) return std::unexpected(descriptor.error());
    auto signature = crypto::Signature::from(as_bytes(message.signature()));
    if (!signature) return fail(ErrorCode::malformed, "descriptor: signature must be 64 bytes");
    if (descriptor->id != transaction.sender)
        return fail(ErrorCode::permission_denied, "a node may register itself only");
    if (descriptor->sequence != transaction.sequence)
        return fail(ErrorCode::invalid_argument, "descriptor: sequence must be the transaction's");
    SignedDescriptor signed_descriptor{to_bytes(message.descriptor()), *signature};
    if (!verify_descriptor(signed_descriptor, transaction.sender, transaction.network))
        return fail(ErrorCode::authentication, "descriptor: signature is not of node " + transaction.sender.brief());
    return Register{std::move(*descriptor), std::move(signed_descriptor)};
}

}  // namespace

Transaction make_register(NodeDescriptor descriptor, const wire::NetworkId& network, std::uint64_t sequence,
                          const crypto::Identity& identity) {
    descriptor.sequence = sequence;
    auto signed_descriptor = sign_descriptor(descriptor, network, identity);
    return {network, identity.id(), sequence, Register{std::move(descriptor), std::move(signed_descriptor)}};
}

Bytes sign(const Transaction& transaction, const crypto::Identity& identity) {
    proto::Transaction message;
    message.set_network(to_string(transaction.network.bytes()));
    message.set_sender(to_string(transaction.sender.bytes()));
    message.set_sequence(transaction.sequence);
    if (const auto* reg = std::get_if<Register>(&transaction.body)) {
        auto* descriptor = message.mutable_register_()->mutable_descriptor();
        descriptor->set_descriptor(to_string(reg->signed_descriptor.bytes));
        descriptor->set_signature(to_string(reg->signed_descriptor.signature.bytes()));
    } else if (const auto* renew = std::get_if<Renew>(&transaction.body)) {
        auto* load = message.mutable_renew()->mutable_load();
        load->set_running(renew->load.running);
        load->set_queued(renew->load.queued);
        load->set_latency_ms(renew->load.latency_ms);
    } else if (const auto* verify = std::get_if<Verify>(&transaction.body)) {
        message.set_verify(to_string(verify->signed_transaction));
    } else {
        message.mutable_deregister();
    }
    proto::SignedTransaction envelope;
    envelope.set_transaction(message.SerializeAsString());
    envelope.set_signature(to_string(identity.sign(transaction_context, as_bytes(envelope.transaction())).bytes()));
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
    if (!crypto::verify(*sender, transaction_context, as_bytes(envelope.transaction()), *signature))
        return fail(ErrorCode::authentication, "a transaction that node " + sender->brief() + " did not sign");
    Transaction transaction{*network, *sender, message.sequence(), Deregister{}};
    switch (message.body_case()) {
        case proto::Transaction::kRegister: {
            auto parsed = parse_register(message.register_().descriptor(), transaction);
            if (!parsed) return std::unexpected(parsed.error());
            transaction.body = std::move(*parsed);
            return transaction;
        }
        case proto::Transaction::kRenew: {
            const auto& load = message.renew().load();
            transaction.body = Renew{{load.running(), load.queued(), load.latency_ms()}};
            return transaction;
        }
        case proto::Transaction::kDeregister:
            return transaction;
        case proto::Transaction::kVerify: {
            Verify verify{to_bytes(message.verify()), {}};
            auto parsed = verification::parse_transaction(verify.signed_transaction);
            if (!parsed) return std::unexpected(parsed.error());
            if (parsed->sender != transaction.sender)
                return fail(ErrorCode::permission_denied, "a verification node may speak for itself only");
            verify.transaction = std::move(*parsed);
            transaction.body = std::move(verify);
            return transaction;
        }
        case proto::Transaction::BODY_NOT_SET:
            break;
    }
    return fail(ErrorCode::malformed, "a transaction of a kind that this version does not know");
}

}  // namespace planetserve::committee
