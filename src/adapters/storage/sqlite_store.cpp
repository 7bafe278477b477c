#include "adapters/storage/sqlite_store.h"

#include <sqlite3.h>

namespace planetserve::adapters {

namespace {

constexpr int schema_version = 1;
constexpr int busy_timeout = 5000;  // milliseconds that another process may hold the database

constexpr const char* schema =
    "CREATE TABLE IF NOT EXISTS block(one INTEGER PRIMARY KEY CHECK(one = 1), network BLOB NOT NULL, height INTEGER "
    "NOT NULL,"
    " time_ms INTEGER NOT NULL, app_hash BLOB NOT NULL);"
    "CREATE TABLE IF NOT EXISTS entry(id BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;";

class Statement {
public:
    Statement(sqlite3* database, const char* sql) { sqlite3_prepare_v2(database, sql, -1, &statement_, nullptr); }
    ~Statement() { sqlite3_finalize(statement_); }
    Statement(const Statement&) = delete;
    Statement& operator=(const Statement&) = delete;

    Statement& bind(int at, ByteView bytes) {
        // With a null pointer SQLite would bind NULL.
        if (bytes.empty())
            sqlite3_bind_zeroblob(statement_, at, 0);
        else
            sqlite3_bind_blob64(statement_, at, bytes.data(), bytes.size(), SQLITE_TRANSIENT);
        return *this;
    }
    Statement& bind(int at, std::int64_t number) {
        sqlite3_bind_int64(statement_, at, number);
        return *this;
    }
    int step() { return statement_ == nullptr ? SQLITE_ERROR : sqlite3_step(statement_); }
    void reset() { sqlite3_reset(statement_); }
    std::int64_t number(int column) { return sqlite3_column_int64(statement_, column); }
    ByteView bytes(int column) {
        const auto* data = static_cast<const std::uint8_t*>(sqlite3_column_blob(statement_, column));
        return {data, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
    }

private:
    sqlite3_stmt* statement_ = nullptr;
};

}  // namespace

Result<std::unique_ptr<SqliteStore>> SqliteStore::open(const std::filesystem::path& file, Durability durability) {
    sqlite3* raw = nullptr;
    int opened = sqlite3_open_v2(file.c_str(), &raw, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nullptr);
    std::unique_ptr<SqliteStore> store(new SqliteStore(raw, file.string()));
    if (opened != SQLITE_OK) return std::unexpected(store->error("open"));
    sqlite3_busy_timeout(raw, busy_timeout);
    const char* mode = durability == Durability::every_block
                           ? "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                           : "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;";
    if (auto set = store->run(mode); !set) return std::unexpected(set.error());
    std::int64_t version = 0;
    {
        Statement query(raw, "PRAGMA user_version");
        if (query.step() != SQLITE_ROW) return std::unexpected(store->error("read"));
        version = query.number(0);
    }
    if (version > schema_version)
        return fail(ErrorCode::malformed,
                    file.string() + " was written by a later version of planetserve; update this one");
    if (auto made = store->run(schema); !made) return std::unexpected(made.error());
    if (auto set = store->run(("PRAGMA user_version = " + std::to_string(schema_version)).c_str()); !set)
        return std::unexpected(set.error());
    return store;
}

SqliteStore::~SqliteStore() { sqlite3_close_v2(database_); }

Error SqliteStore::error(const std::string& doing) const {
    return {ErrorCode::io, "cannot " + doing + " the registry " + file_ + ": " + sqlite3_errmsg(database_)};
}

Status SqliteStore::run(const char* sql) {
    if (sqlite3_exec(database_, sql, nullptr, nullptr, nullptr) == SQLITE_OK) return {};
    return std::unexpected(error("write"));
}

Result<std::optional<committee::StoredState>> SqliteStore::load(const wire::NetworkId& network) {
    committee::StoredState state;
    Statement block(database_, "SELECT network, height, time_ms, app_hash FROM block");
    int found = block.step();
    if (found == SQLITE_DONE) return std::nullopt;
    if (found != SQLITE_ROW) return std::unexpected(error("read"));
    if (wire::NetworkId::from(block.bytes(0)) != network)
        return fail(ErrorCode::invalid_argument,
                    file_ + " belongs to another network; give this node a home of its own");
    auto hash = FixedBytes<struct StoredHashTag, 32>::from(block.bytes(3));
    if (!hash) return fail(ErrorCode::malformed, file_ + " is damaged: its hash has the wrong size");
    state.height = block.number(1);
    state.time = UnixTime{block.number(2)};
    state.app_hash = hash->value;
    Statement entries(database_, "SELECT id, value FROM entry");
    int step = 0;
    while ((step = entries.step()) == SQLITE_ROW) {
        state.entries.emplace(to_bytes(entries.bytes(0)), to_bytes(entries.bytes(1)));
    }
    if (step != SQLITE_DONE) return std::unexpected(error("read"));
    return state;
}

Status SqliteStore::save(const wire::NetworkId& network, std::int64_t height, UnixTime time,
                         const crypto::Digest& app_hash, const committee::Changes& changes) {
    if (auto begun = run("BEGIN IMMEDIATE"); !begun) return begun;
    bool ok = true;
    Statement put(database_, "INSERT OR REPLACE INTO entry(id, value) VALUES(?1, ?2)");
    Statement remove(database_, "DELETE FROM entry WHERE id = ?1");
    for (const auto& [id, value] : changes) {
        Statement& statement = value ? put : remove;
        statement.reset();
        statement.bind(1, id);
        if (value) statement.bind(2, *value);
        ok = ok && statement.step() == SQLITE_DONE;
    }
    Statement block(database_,
                    "INSERT OR REPLACE INTO block(one, network, height, time_ms, app_hash) VALUES(1, ?1, ?2, ?3, ?4)");
    ok = ok && block.bind(1, network.bytes()).bind(2, height).bind(3, time.milliseconds).bind(4, app_hash).step() ==
                   SQLITE_DONE;
    if (ok && run("COMMIT")) return {};
    Error why = error("write");
    (void)run("ROLLBACK");
    return std::unexpected(why);
}

}  // namespace planetserve::adapters
