#include "light_block_fixture.h"

#include <algorithm>
#include <stdexcept>

namespace planetserve::lightclient {

Committee Committee::make(Random& random, std::size_t count, std::int64_t power) {
    Committee committee;
    for (std::size_t i = 0; i < count; ++i) committee.identities.push_back(crypto::Identity::generate(random));
    committee.powers.assign(count, power);
    return committee;
}

ValidatorSet Committee::set() const {
    std::vector<Validator> validators;
    for (std::size_t i = 0; i < identities.size(); ++i) validators.push_back({identities[i].id(), powers[i]});
    return ValidatorSet::make(std::move(validators)).value();
}

const crypto::Identity& Committee::identity(const NodeId& key) const {
    return *std::ranges::find_if(identities, [&key](const auto& identity) { return identity.id() == key; });
}

void sign_all(LightBlock& block, const Committee& committee, std::size_t signers) {
    block.commit.height = block.header.height;
    block.commit.block_id = {to_bytes(ByteView(hash(block.header))), 1, Bytes(32, 7)};
    block.commit.signatures.assign(block.validators.size(), {});
    for (std::size_t i = 0; i < block.validators.size() && i < signers; ++i) {
        CommitSignature& signature = block.commit.signatures[i];
        signature.flag = BlockIdFlag::commit;
        signature.validator = block.validators.address(i);
        signature.time = block.header.time + std::chrono::milliseconds(i);
        signature.signature = committee.identity(block.validators.validators()[i].key)
                                  .sign_raw(sign_bytes(block.commit, i, block.header.chain_id));
    }
}

LightBlock BlockMaker::make(std::int64_t height, const Committee& now, const Committee& next, std::string_view text,
                            std::size_t signers) const {
    auto digest = [](std::string_view of) { return to_bytes(ByteView(crypto::sha256(as_bytes(of)))); };
    LightBlock block{{}, {}, now.set()};
    Header& header = block.header;
    header.app_version = 1;
    header.chain_id = chain_id;
    header.height = height;
    header.time = time(height);
    if (height > 1) header.last_block_id = {digest("last block"), 1, digest("its parts")};
    header.last_commit_hash = digest("last commit");
    header.data_hash = digest("data");
    header.validators_hash = to_bytes(ByteView(now.set().hash()));
    header.next_validators_hash = to_bytes(ByteView(next.set().hash()));
    header.consensus_hash = digest("consensus");
    header.app_hash = digest("app " + std::string(text) + std::to_string(height));
    header.last_results_hash = digest("results");
    header.evidence_hash = digest("evidence");
    header.proposer = block.validators.address(0);
    sign_all(block, now, signers);
    return block;
}

namespace {

using boost::json::value;

std::string text(const value& from) { return std::string(from.as_string()); }

// Go writes 64-bit integers as strings.
std::int64_t integer(const value& from) {
    return from.is_string() ? std::stoll(text(from)) : from.to_number<std::int64_t>();
}

Bytes hex(const value& from) { return from.is_null() ? Bytes{} : from_hex(text(from)).value(); }

Bytes base64(const value& from) {
    Bytes out;
    std::uint32_t bits = 0;
    int count = 0;
    if (from.is_null()) return out;
    for (char c : from.as_string()) {
        static constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        auto digit = digits.find(c);
        if (digit == std::string_view::npos) break;
        bits = bits << 6 | static_cast<std::uint32_t>(digit);
        count += 6;
        if (count < 8) continue;
        count -= 8;
        out.push_back(static_cast<std::uint8_t>(bits >> count));
    }
    return out;
}

BlockId block_id(const value& from) {
    if (from.is_null()) return {};
    const auto& object = from.as_object();
    const value& parts = object.contains("parts") ? object.at("parts") : object.at("part_set_header");
    return {hex(object.at("hash")), static_cast<std::uint32_t>(integer(parts.at("total"))), hex(parts.at("hash"))};
}

}  // namespace

Timestamp timestamp_from_json(const value& from) {
    int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, used = 0;
    std::string date = text(from);
    if (std::sscanf(date.c_str(), "%d-%d-%dT%d:%d:%d%n", &year, &month, &day, &hour, &minute, &second, &used) != 6)
        throw std::invalid_argument("not a date: " + date);
    std::chrono::sys_days days = std::chrono::year(year) / month / day;
    std::string fraction;
    for (auto i = static_cast<std::size_t>(used) + 1; i < date.size() && std::isdigit(date[i]); ++i)
        fraction += date[i];
    fraction.resize(9, '0');
    return {days.time_since_epoch().count() * std::int64_t{86'400} + hour * 3600 + minute * 60 + second,
            std::stoi(fraction)};
}

Header header_from_json(const value& from) {
    Header header;
    header.block_version = static_cast<std::uint64_t>(integer(from.at("version").at("block")));
    header.app_version = static_cast<std::uint64_t>(integer(from.at("version").at("app")));
    header.chain_id = text(from.at("chain_id"));
    header.height = integer(from.at("height"));
    header.time = timestamp_from_json(from.at("time"));
    header.last_block_id = block_id(from.at("last_block_id"));
    header.last_commit_hash = hex(from.at("last_commit_hash"));
    header.data_hash = hex(from.at("data_hash"));
    header.validators_hash = hex(from.at("validators_hash"));
    header.next_validators_hash = hex(from.at("next_validators_hash"));
    header.consensus_hash = hex(from.at("consensus_hash"));
    header.app_hash = hex(from.at("app_hash"));
    header.last_results_hash = hex(from.at("last_results_hash"));
    header.evidence_hash = hex(from.at("evidence_hash"));
    header.proposer = Address::from(hex(from.at("proposer_address"))).value();
    return header;
}

Commit commit_from_json(const value& from) {
    Commit commit{integer(from.at("height")),
                  static_cast<std::int32_t>(integer(from.at("round"))),
                  block_id(from.at("block_id")),
                  {}};
    if (from.at("signatures").is_null()) return commit;
    for (const value& item : from.at("signatures").as_array()) {
        CommitSignature signature;
        signature.flag = static_cast<BlockIdFlag>(integer(item.at("block_id_flag")));
        if (signature.flag != BlockIdFlag::absent) {
            signature.validator = Address::from(hex(item.at("validator_address"))).value();
            signature.time = timestamp_from_json(item.at("timestamp"));
            signature.signature = crypto::Signature::from(base64(item.at("signature"))).value();
        }
        commit.signatures.push_back(signature);
    }
    return commit;
}

Result<ValidatorSet> validators_from_json(const value& from) {
    std::vector<Validator> validators;
    if (!from.at("validators").is_null())
        for (const value& item : from.at("validators").as_array())
            validators.push_back(
                {NodeId::from(base64(item.at("pub_key").at("value"))).value(),
                 integer(item.at(item.as_object().contains("voting_power") ? "voting_power" : "power"))});
    return ValidatorSet::make(std::move(validators));
}

}  // namespace planetserve::lightclient
