// Transactions, lists and calls from hostile hands, against a live registry: nothing unsigned changes it, and whatever
// it holds can be written, read again, and hashed to the same.

#include <google/protobuf/stubs/logging.h>

#include "base/random.h"
#include "committee/committee.pb.h"
#include "committee/directory_server.h"
#include "committee/genesis.h"
#include "fuzz_check.h"

using namespace planetserve;
using namespace planetserve::committee;

namespace {

struct NoStore final : Store {
    Result<std::optional<StoredState>> load(const wire::NetworkId&) override { return std::nullopt; }
    Status save(const wire::NetworkId&, std::int64_t, UnixTime, const crypto::Digest&, const Changes&) override {
        return {};
    }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static SeededRandom random(1);
    static const auto validator = crypto::Identity::generate(random);
    static const auto member = crypto::Identity::generate(random);
    static const auto genesis = [] {
        Genesis made{"fuzz", UnixTime{1}, {{"v", validator.id(), 1, {"127.0.0.1", 1}}}, {}};
        made.parameters.update_interval_ms = 0;
        return made;
    }();
    static const bool quiet = [] {
        google::protobuf::SetLogHandler(nullptr);
        return true;
    }();
    check(quiet, "quiet");
    ByteView input(data, size);
    UnixTime now{1'000'000};
    NoStore store;
    auto engine = std::move(EmbeddedEngine::open(genesis, validator, store).value());
    DirectoryServer server(*engine);

    Bytes call(8);
    append(call, input);
    check(server.on_call(call, now).has_value(), "every call is answered");
    check(engine->tick(now).has_value() && engine->registry().entries().empty(),
          "nothing unsigned changes the registry");

    // The same bytes as the descriptor and the body of a truly signed transaction.
    proto::Transaction transaction;
    transaction.set_network(to_string(engine->network().bytes()));
    transaction.set_sender(to_string(member.id().bytes()));
    transaction.set_sequence(static_cast<std::uint64_t>(now.milliseconds));
    if (transaction.mutable_register_()->mutable_descriptor()->ParseFromArray(data, static_cast<int>(size))) {
        transaction.mutable_register_()->mutable_descriptor()->set_id(to_string(member.id().bytes()));
        proto::SignedTransaction signed_transaction;
        signed_transaction.set_transaction(transaction.SerializeAsString());
        signed_transaction.set_signature(
            to_string(member.sign("planetserve transaction v1", as_bytes(signed_transaction.transaction())).bytes()));
        (void)engine->submit(as_bytes(signed_transaction.SerializeAsString()), now);
        check(engine->tick(now).has_value(), "a block is made");
        auto parsed = parse_state(engine->state());
        check(parsed && parsed->app_hash == engine->registry().app_hash(), "a list gives the hash it is signed by");
    }
    (void)parse_state(input);
    if (auto parsed = Genesis::parse(as_text(input)))
        check(Genesis::parse(parsed->to_json())->network() == parsed->network(), "a genesis survives");
    return 0;
}
