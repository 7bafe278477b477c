// Transactions, lists and calls from hostile hands, against a live registry: nothing unsigned changes it, and whatever
// it holds can be written, read again, and hashed to the same.

#include <google/protobuf/stubs/logging.h>

#include "base/random.h"
#include "committee/committee.pb.h"
#include "committee/directory_server.h"
#include "committee/embedded_consensus.h"
#include "committee/founding.h"
#include "committee/genesis.h"
#include "committee/invite.h"
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
    auto engine = std::move(EmbeddedConsensus::open(genesis, validator, store).value());
    DirectoryServer server(*engine, genesis);

    Bytes call(8);
    append(call, input);
    bool answered = false;
    server.on_call(member.id(), call, {Time{}, now}, [&](const Bytes&) { answered = true; });
    check(answered, "every call is answered");
    check(engine->tick(now).has_value() && engine->registry().entries().empty(),
          "nothing unsigned changes the registry");

    // The same bytes as the descriptor of a truly signed transaction, with the id and sequence it must have.
    proto::Descriptor descriptor;
    if (descriptor.ParseFromArray(data, static_cast<int>(size))) {
        descriptor.set_id(to_string(member.id().bytes()));
        descriptor.set_sequence(static_cast<std::uint64_t>(now.milliseconds));
        Transaction transaction{engine->network(), member.id(), static_cast<std::uint64_t>(now.milliseconds), {}};
        Register body;
        body.signed_descriptor.bytes = to_bytes(descriptor.SerializeAsString());
        Bytes signed_bytes = to_bytes(engine->network().bytes());
        append(signed_bytes, body.signed_descriptor.bytes);
        body.signed_descriptor.signature = member.sign("planetserve descriptor v1", signed_bytes);
        transaction.body = std::move(body);
        auto taken = engine->submit(sign(transaction, member), now);
        check(engine->tick(now).has_value(), "a block is made");
        check(engine->registry().nodes() == (taken ? 1u : 0u), "what is taken is there");
        Bytes state = engine->registry().serialise();
        auto parsed = parse_state(state);
        check(parsed && parsed->app_hash == engine->registry().app_hash(), "a list gives the hash it is signed by");
        Registry joined(genesis);
        check(joined.restore(state, 1, now) && joined.app_hash() == engine->registry().app_hash(),
              "a snapshot gives the same hash");
    }
    (void)parse_state(input);
    if (auto parsed = Genesis::parse(as_text(input)))
        check(Genesis::parse(parsed->to_json())->network() == parsed->network(), "a genesis survives");
    (void)read_founding(input, genesis.network());
    if (auto invite = Invite::parse(as_text(input)))
        check(Invite::parse(invite->to_text()) == *invite, "an invite survives");
    return 0;
}
