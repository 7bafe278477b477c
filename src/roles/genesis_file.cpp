#include "roles/genesis_file.h"

#include "base/files.h"

namespace planetserve::roles {

Result<committee::Genesis> read_genesis(const std::filesystem::path& file) {
    auto text = read_file(file);
    if (!text) return std::unexpected(text.error());
    auto genesis = committee::Genesis::parse(*text);
    if (!genesis) return fail(genesis.error().code, file.string() + ": " + genesis.error().message);
    return genesis;
}

}  // namespace planetserve::roles
