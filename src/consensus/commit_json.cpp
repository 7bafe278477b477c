#include "consensus/commit_json.h"

#include <charconv>
#include <cstdio>
#include <stdexcept>

#include "crypto/base64.h"

namespace planetserve::consensus {

namespace json = boost::json;
namespace light = lightclient;

namespace {

constexpr std::size_t maximum_votes = light::ValidatorSet::maximum_size;

// The readers below throw, as boost::json does for a value of another kind. light_block_from_json catches it.
[[noreturn]] void wrong(const std::string& what) { throw std::invalid_argument(what); }

std::string_view text(const json::value& value) { return {value.as_string().data(), value.as_string().size()}; }

// CometBFT writes integers of 64 bits as strings.
std::int64_t integer(const json::value& value) {
    if (!value.is_string()) return value.to_number<std::int64_t>();
    std::int64_t number = 0;
    std::string_view digits = text(value);
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (error != std::errc() || end != digits.data() + digits.size()) wrong("a number that is none");
    return number;
}

Bytes hex(const json::value& value) {
    auto bytes = from_hex(text(value));
    if (!bytes) wrong("hexadecimal digits that are none");
    return std::move(*bytes);
}

template <typename Id>
Id id(const Bytes& bytes) {
    auto value = Id::from(bytes);
    if (!value) wrong("a value of the wrong size");
    return *value;
}

// "2026-11-25T19:44:16.123456789Z", with 0 to 9 digits of a fraction.
light::Timestamp timestamp(const json::value& value) {
    std::string date(text(value));
    int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, used = 0;
    if (std::sscanf(date.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d%n", &year, &month, &day, &hour, &minute, &second, &used) !=
            6 ||
        date.back() != 'Z')
        wrong("a time that is none");
    auto calendar = std::chrono::year(year) / month / day;
    if (!calendar.ok() || hour > 23 || minute > 59 || second > 59) wrong("a time that is none");
    std::string fraction = date.substr(static_cast<std::size_t>(used));
    fraction.pop_back();
    if (!fraction.empty()) fraction.erase(0, 1);
    if (fraction.size() > 9 || fraction.find_first_not_of("0123456789") != std::string::npos)
        wrong("a time that is none");
    fraction.resize(9, '0');
    return {std::chrono::sys_days(calendar).time_since_epoch().count() * std::int64_t{86'400} + hour * 3600 +
                minute * 60 + second,
            std::stoi(fraction)};
}

light::BlockId block_id(const json::value& value) {
    const auto& parts = value.at("parts");
    return {hex(value.at("hash")), static_cast<std::uint32_t>(integer(parts.at("total"))), hex(parts.at("hash"))};
}

light::Header header_of(const json::value& value) {
    light::Header header;
    header.block_version = static_cast<std::uint64_t>(integer(value.at("version").at("block")));
    // CometBFT leaves out 0.
    if (const auto* app = value.at("version").as_object().if_contains("app"))
        header.app_version = static_cast<std::uint64_t>(integer(*app));
    header.chain_id = text(value.at("chain_id"));
    header.height = integer(value.at("height"));
    header.time = timestamp(value.at("time"));
    header.last_block_id = block_id(value.at("last_block_id"));
    header.last_commit_hash = hex(value.at("last_commit_hash"));
    header.data_hash = hex(value.at("data_hash"));
    header.validators_hash = hex(value.at("validators_hash"));
    header.next_validators_hash = hex(value.at("next_validators_hash"));
    header.consensus_hash = hex(value.at("consensus_hash"));
    header.app_hash = hex(value.at("app_hash"));
    header.last_results_hash = hex(value.at("last_results_hash"));
    header.evidence_hash = hex(value.at("evidence_hash"));
    header.proposer = id<light::Address>(hex(value.at("proposer_address")));
    return header;
}

light::Commit commit_of(const json::value& value) {
    light::Commit commit{integer(value.at("height")),
                         static_cast<std::int32_t>(integer(value.at("round"))),
                         block_id(value.at("block_id")),
                         {}};
    const auto& signatures = value.at("signatures").as_array();
    if (signatures.size() > maximum_votes) wrong("too many votes");
    for (const json::value& item : signatures) {
        light::CommitSignature signature;
        auto flag = integer(item.at("block_id_flag"));
        if (flag < 1 || flag > 3) wrong("a vote of an unknown kind");
        signature.flag = static_cast<light::BlockIdFlag>(flag);
        if (signature.flag != light::BlockIdFlag::absent) {
            signature.validator = id<light::Address>(hex(item.at("validator_address")));
            signature.time = timestamp(item.at("timestamp"));
            auto bytes = crypto::from_base64(text(item.at("signature")));
            if (!bytes) wrong("a signature that is no base64");
            signature.signature = id<crypto::Signature>(*bytes);
        }
        commit.signatures.push_back(signature);
    }
    return commit;
}

}  // namespace

Result<light::LightBlock> light_block_from_json(const json::value& result, const light::ValidatorSet& validators) {
    try {
        const auto& block = result.at("signed_header");
        return light::LightBlock{header_of(block.at("header")), commit_of(block.at("commit")), validators};
    } catch (const std::exception& error) {
        return fail(ErrorCode::malformed, std::string("the consensus engine's commit does not parse: ") + error.what());
    }
}

}  // namespace planetserve::consensus
