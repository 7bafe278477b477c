// Reads a node's chain from its CometBFT, one question after the other. Blocks the caller; for commands.
//
// Nothing that it returns was checked: whoever reads must check signatures and hashes.
#pragma once

#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <vector>

#include "adapters/cometbft/cometbft_rpc.h"
#include "lightclient/light_block.h"

namespace planetserve::adapters {

class ChainReader {
public:
    // The socket is CometBFT's RPC, consensus/rpc.sock in the node's home.
    explicit ChainReader(const std::filesystem::path& socket) : rpc_(context_, socket) {}

    // The last height. not_found: the node no longer has the first blocks.
    Result<std::int64_t> last_height();
    // A block's header and commit, with the validators of its height.
    Result<lightclient::LightBlock> light_block(std::int64_t height, const lightclient::ValidatorSet& validators);
    Result<std::vector<Bytes>> transactions(std::int64_t height);

private:
    Result<boost::json::value> ask(const std::string& method, boost::json::object parameters);

    boost::asio::io_context context_;
    CometbftRpc rpc_;
};

}  // namespace planetserve::adapters
