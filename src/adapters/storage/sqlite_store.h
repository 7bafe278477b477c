// The registry on disk, in SQLite: a committee::Store whose blocks are transactions of the database.
#pragma once

#include <filesystem>
#include <memory>

#include "committee/store.h"

struct sqlite3;

namespace planetserve::adapters {

enum class Durability : std::uint8_t {
    every_block,  // every saved block survives a power cut
    // A power cut may lose the blocks saved last, each of them whole. For a store whose owner gets them again: CometBFT
    // repeats them. It spares a write-through for each block.
    whole_blocks,
};

class SqliteStore final : public committee::Store {
public:
    // Opens or creates the file. Fails for a file of a later version or one that is no database, and says what to do.
    static Result<std::unique_ptr<SqliteStore>> open(const std::filesystem::path& file,
                                                     Durability durability = Durability::every_block);
    ~SqliteStore() override;

    Result<std::optional<committee::StoredState>> load(const wire::NetworkId& network) override;
    Status save(const wire::NetworkId& network, std::int64_t height, UnixTime time, const crypto::Digest& app_hash,
                const committee::Changes& changes) override;

private:
    SqliteStore(sqlite3* database, std::string file) : database_(database), file_(std::move(file)) {}
    Status run(const char* sql);
    Error error(const std::string& doing) const;

    sqlite3* database_;
    std::string file_;
};

}  // namespace planetserve::adapters
