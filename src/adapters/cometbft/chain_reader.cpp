#include "adapters/cometbft/chain_reader.h"

#include <charconv>

#include "consensus/commit_json.h"
#include "crypto/base64.h"

namespace planetserve::adapters {

namespace json = boost::json;

namespace {

json::object at_height(std::int64_t height) { return {{"height", std::to_string(height)}}; }

std::string text_at(const json::value& value, const char* pointer) {
    boost::system::error_code error;
    const auto* found = value.find_pointer(pointer, error);
    return found != nullptr && found->is_string() ? std::string(found->as_string()) : std::string();
}

}  // namespace

Result<json::value> ChainReader::ask(const std::string& method, json::object parameters) {
    Result<json::value> answer = fail(ErrorCode::timed_out, "CometBFT does not answer");
    rpc_.call(method, std::move(parameters), [&](Result<json::value> result) { answer = std::move(result); });
    context_.restart();
    context_.run();
    return answer;
}

Result<std::int64_t> ChainReader::last_height() {
    auto status = ask("status", {});
    if (!status) return std::unexpected(status.error());
    const std::string last = text_at(*status, "/sync_info/latest_block_height");
    const std::string first = text_at(*status, "/sync_info/earliest_block_height");
    std::int64_t height = 0;
    const auto [end, error] = std::from_chars(last.data(), last.data() + last.size(), height);
    if (error != std::errc() || end != last.data() + last.size() || first.empty())
        return fail(ErrorCode::malformed, "CometBFT's status has no heights");
    if (first != "1")
        return fail(ErrorCode::not_found,
                    "this node no longer has the blocks before " + first + "; read from one that has them all");
    return height;
}

Result<lightclient::LightBlock> ChainReader::light_block(std::int64_t height,
                                                         const lightclient::ValidatorSet& validators) {
    auto commit = ask("commit", at_height(height));
    if (!commit) return fail(commit.error().code, "block " + std::to_string(height) + ": " + commit.error().message);
    return consensus::light_block_from_json(*commit, validators);
}

Result<std::vector<Bytes>> ChainReader::transactions(std::int64_t height) {
    auto block = ask("block", at_height(height));
    if (!block) return std::unexpected(block.error());
    boost::system::error_code error;
    const auto* list = block->find_pointer("/block/data/txs", error);
    std::vector<Bytes> transactions;
    if (list == nullptr || list->is_null()) return transactions;
    if (!list->is_array()) return fail(ErrorCode::malformed, "a block whose transactions are no list");
    for (const auto& item : list->get_array()) {
        auto bytes = item.is_string() ? crypto::from_base64(item.get_string()) : std::nullopt;
        if (!bytes) return fail(ErrorCode::malformed, "a block with a transaction that is not base64");
        transactions.push_back(std::move(*bytes));
    }
    return transactions;
}

}  // namespace planetserve::adapters
