// The genesis: all that a node needs to join a network (docs/protocols/registry.md). A JSON file.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/endpoint.h"
#include "base/ids.h"
#include "base/time.h"
#include "crypto/hash.h"
#include "verification/parameters.h"
#include "wire/hello.h"

namespace planetserve::committee {

struct GenesisValidator {
    std::string name;
    NodeId id;  // its Ed25519 key
    std::uint64_t power = 1;
    Endpoint address;  // where nodes connect
    // Where the other validators' consensus engines connect. Every validator of a committee has one; a single validator
    // has none.
    std::optional<Endpoint> consensus_address = std::nullopt;
};

struct Parameters {
    std::int64_t lease_ms = 30'000;  // an entry lives this long without a renewal
    std::int64_t renew_ms = 10'000;  // between renewals; at most half of lease_ms
    std::int64_t clock_tolerance_ms = 300'000;
    std::int64_t update_interval_ms = 500;  // the least between two transactions of a node
    std::uint64_t maximum_nodes = 200'000;
    std::uint64_t maximum_list_bytes = 64 << 20;
    // Without it the network does not verify its model nodes.
    std::optional<verification::Parameters> verification = std::nullopt;
    // SHA-256 of the file of challenges (verification_agent/prompt_pool.h); none: challenges are made up.
    std::optional<crypto::Digest> prompt_pool = std::nullopt;
    bool operator==(const Parameters&) const = default;
};

struct Genesis {
    std::string chain_id;
    UnixTime time;
    std::vector<GenesisValidator> validators;
    Parameters parameters;

    // The name of the network in the hello of links: SHA-256 of the canonical form.
    wire::NetworkId network() const;
    std::uint64_t total_power() const;
    // Whether every validator has a consensus address, so that a BFT engine orders the transactions. Otherwise the
    // single validator orders them.
    bool is_committee() const;
    // The consensus engine's name of the chain, which its votes sign. It names the network, so a vote is worth nothing
    // under another genesis.
    std::string consensus_chain_id() const;
    const GenesisValidator* find(const NodeId& id) const;
    // Canonical: one line, keys in a fixed order.
    std::string to_json() const;
    // Error: an unknown key, by name; no validators; no power; two validators with one key; several validators of which
    // one has no consensus address, or two have the same.
    static Result<Genesis> parse(std::string_view json);
};

}  // namespace planetserve::committee
