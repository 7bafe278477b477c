// The transactions of the registry, each signed by its sender (docs/protocols/registry.md).
#pragma once

#include <variant>

#include "committee/descriptor.h"
#include "crypto/identity.h"
#include "verification/transaction.h"

namespace planetserve::committee {

inline constexpr std::size_t maximum_transaction_size = 16 * 1024;

struct Register {
    NodeDescriptor descriptor;  // its id is the sender, its sequence the transaction's
    SignedDescriptor signed_descriptor;
};
struct Renew {
    Load load;
};
struct Deregister {};
// A verification node's statement in the running epoch: the signed bytes, and the parsed form.
struct Verify {
    Bytes signed_transaction;
    verification::Transaction transaction;
};

struct Transaction {
    wire::NetworkId network;
    NodeId sender;
    std::uint64_t sequence = 0;  // milliseconds since 1970, later than any before it
    std::variant<Register, Renew, Deregister, Verify> body;
};

// Makes a registration of the identity's own node: fills in the descriptor's sequence and signs it.
Transaction make_register(NodeDescriptor descriptor, const wire::NetworkId& network, std::uint64_t sequence,
                          const crypto::Identity& identity);
Bytes sign(const Transaction& transaction, const crypto::Identity& identity);
// Parses, checks every limit, and verifies the signatures.
Result<Transaction> parse_transaction(ByteView bytes);

}  // namespace planetserve::committee
