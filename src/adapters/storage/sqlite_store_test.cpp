#include "adapters/storage/sqlite_store.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "base/random.h"
#include "committee/embedded_consensus.h"

namespace planetserve::adapters {
namespace {

class SqliteStoreTest : public testing::Test {
protected:
    void SetUp() override {
        std::string pattern = (std::filesystem::temp_directory_path() / "planetserve-store-XXXXXX").string();
        ASSERT_NE(mkdtemp(pattern.data()), nullptr);
        directory_ = pattern;
        network_.value[0] = 1;
    }
    void TearDown() override { std::filesystem::remove_all(directory_); }
    std::filesystem::path file() const { return directory_ / "registry.sqlite"; }
    static Bytes node(std::uint8_t number) {
        Bytes id(NodeId::size);
        id[0] = number;
        return id;
    }

    std::filesystem::path directory_;
    wire::NetworkId network_;
};

TEST_F(SqliteStoreTest, KeepsWhatWasSaved) {
    {
        auto store = SqliteStore::open(file());
        ASSERT_TRUE(store) << store.error().message;
        EXPECT_FALSE(*(*store)->load(network_));
        ASSERT_TRUE((*store)->save(network_, 1, {10}, {1}, {{node(1), Bytes{1}}, {node(2), Bytes{2, 2}}}));
        ASSERT_TRUE((*store)->save(network_, 2, {20}, {2}, {{node(1), std::nullopt}, {node(3), Bytes{}}}));
    }
    auto store = SqliteStore::open(file());
    auto state = (*store)->load(network_);
    ASSERT_TRUE(state && *state);
    EXPECT_EQ((*state)->height, 2);
    EXPECT_EQ((*state)->app_hash, crypto::Digest{2});
    EXPECT_EQ((*state)->entries, (committee::Values{{node(2), Bytes{2, 2}}, {node(3), Bytes{}}}));
    wire::NetworkId other;
    EXPECT_NE((*store)->load(other).error().message.find("another network"), std::string::npos);
}

TEST_F(SqliteStoreTest, AKilledWriterLeavesAWholeBlock) {
    for (int round = 0; round < 5; ++round) {
        int written[2];
        ASSERT_EQ(pipe(written), 0);
        pid_t child = fork();
        if (child == 0) {
            auto store = SqliteStore::open(file(), round % 2 == 0 ? Durability::every_block : Durability::whole_blocks);
            for (std::int64_t height = 1;; ++height) {
                committee::Changes changes;
                for (int i = 0; i < 50; ++i)
                    changes.emplace(node(static_cast<std::uint8_t>(i)), Bytes{static_cast<std::uint8_t>(height)});
                if (!(*store)->save(network_, height, {height}, {static_cast<std::uint8_t>(height)}, changes)) _exit(1);
                if (height == 1 && write(written[1], "", 1) != 1) _exit(1);
            }
        }
        close(written[1]);
        char first_block = 0;
        EXPECT_EQ(read(written[0], &first_block, 1), 1);
        close(written[0]);
        usleep(30'000 * static_cast<unsigned>(round));
        kill(child, SIGKILL);
        waitpid(child, nullptr, 0);
        auto store = SqliteStore::open(file());
        ASSERT_TRUE(store) << store.error().message;
        auto state = (*store)->load(network_);
        ASSERT_TRUE(state && *state);
        EXPECT_EQ((*state)->entries.size(), 50u);
        for (const auto& [id, value] : (*state)->entries)
            EXPECT_EQ(value, Bytes{(*state)->app_hash[0]}) << "entries of two blocks";
    }
}

// A consensus engine over a store that is killed in the middle of its blocks resumes from one of them.
TEST_F(SqliteStoreTest, AKilledEngineGoesOnWithTheHashItHad) {
    SeededRandom random(1);
    auto validator = crypto::Identity::generate(random);
    committee::Genesis genesis{"test", UnixTime{1}, {{"v", validator.id(), 1, {"127.0.0.1", 1}}}, {}};
    genesis.parameters.update_interval_ms = 0;
    genesis.parameters.lease_ms = 3000;
    std::vector<crypto::Identity> nodes;
    for (int i = 0; i < 10; ++i) nodes.push_back(crypto::Identity::generate(random));
    std::int64_t before = 0;
    for (int round = 0; round < 4; ++round) {
        pid_t child = fork();
        if (child == 0) {
            auto store = SqliteStore::open(file());
            auto engine = committee::EmbeddedConsensus::open(genesis, validator, **store);
            if (!engine) _exit(1);
            std::int64_t now = (*engine)->registry().time().milliseconds;
            for (;; now += 100) {
                const auto& node = nodes[random.below(nodes.size())];
                auto transaction = committee::make_register(
                    {node.id(), wire::Role::user, {node.id().value}, {{"127.0.0.1", 7}}, {}, 0, "", "test"},
                    genesis.network(), static_cast<std::uint64_t>(now), node);
                (void)(*engine)->submit(committee::sign(transaction, node), UnixTime{now});
                if (!(*engine)->tick(UnixTime{now})) _exit(2);
            }
        }
        usleep(150'000 + 40'000 * static_cast<unsigned>(round));
        kill(child, SIGKILL);
        int status = 0;
        waitpid(child, &status, 0);
        ASSERT_TRUE(WIFSIGNALED(status)) << "it ended by itself: " << WEXITSTATUS(status);
        auto store = SqliteStore::open(file());
        ASSERT_TRUE(store) << store.error().message;
        auto engine = committee::EmbeddedConsensus::open(genesis, validator, **store);  // compares the hashes
        ASSERT_TRUE(engine) << engine.error().message;
        EXPECT_GT((*engine)->registry().height(), before);
        EXPECT_EQ((*engine)->registry().app_hash(), (*(*store)->load(genesis.network()))->app_hash);
        before = (*engine)->registry().height();
    }
}

TEST_F(SqliteStoreTest, RefusesAStoreOfALaterVersion) {
    ASSERT_TRUE(SqliteStore::open(file()));
    sqlite3* database = nullptr;
    ASSERT_EQ(sqlite3_open(file().c_str(), &database), SQLITE_OK);
    ASSERT_EQ(sqlite3_exec(database, "PRAGMA user_version = 1000", nullptr, nullptr, nullptr), SQLITE_OK);
    sqlite3_close(database);
    auto store = SqliteStore::open(file());
    ASSERT_FALSE(store);
    EXPECT_NE(store.error().message.find("later version"), std::string::npos) << store.error().message;
}

TEST_F(SqliteStoreTest, RefusesWhatItCannotRead) {
    std::ofstream(file()) << std::string(5000, 'x');
    auto store = SqliteStore::open(file());
    ASSERT_FALSE(store);
    EXPECT_NE(store.error().message.find(file().string()), std::string::npos);
}

}  // namespace
}  // namespace planetserve::adapters
