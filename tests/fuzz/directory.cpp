// Answers from a hostile verification node to a directory client, and a kept list from a hostile disk. The input is cut
// into answers by a byte of length each (0: the rest). Some are answered as they are, some inside an otherwise right
// answer; whatever comes, the client holds nothing that was not signed, and goes on asking.

#include <google/protobuf/stubs/logging.h>

#include "base/random.h"
#include "committee/committee.pb.h"
#include "committee/directory_client.h"
#include "committee/directory_server.h"
#include "committee/embedded_consensus.h"
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

struct FixedClock final : Clock {
    Time now() const override { return time; }
    UnixTime unix_now() const override {
        return {1'000'000 + std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count()};
    }
    Time time{1s};
};

struct Calls final : wire::FrameSender {
    Status send(const NodeId& to, wire::FrameType, std::initializer_list<ByteView> parts) override {
        Bytes call;
        for (ByteView part : parts) append(call, part);
        made.emplace_back(to, std::move(call));
        return {};
    }
    std::size_t queued_bytes(const NodeId&) const override { return 0; }
    std::vector<std::pair<NodeId, Bytes>> made;
};

// The right answer, with one byte string of it replaced or one byte changed.
Bytes bend(Bytes answer, ByteView input) {
    proto::Answer message;
    if (input.empty() || !message.ParseFromArray(answer.data() + 8, static_cast<int>(answer.size() - 8))) return answer;
    std::string text = to_string(input.subspan(1));
    if (message.has_part()) {
        if (input[0] % 4 == 0) message.mutable_part()->set_bytes(text);
        if (input[0] % 4 == 1) message.mutable_part()->mutable_header()->set_app_hash(text);
        if (input[0] % 4 == 2) message.mutable_part()->set_total(input[0] * 1000u);
        if (input[0] % 4 == 3) message.mutable_part()->set_offset(input[0]);
    }
    answer.resize(8);
    append(answer, as_bytes(message.SerializeAsString()));
    return answer;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static SeededRandom random(1);
    static const auto validator = crypto::Identity::generate(random);
    static const auto member = crypto::Identity::generate(random);
    static const Genesis genesis{"fuzz", UnixTime{1}, {{"v", validator.id(), 1, {"127.0.0.1", 1}}}, {}};
    static const bool quiet = [] {
        google::protobuf::SetLogHandler(nullptr);
        return true;
    }();
    check(quiet, "quiet");
    ByteView input(data, size);
    FixedClock clock;
    Calls calls;
    NoStore store;
    auto engine = std::move(EmbeddedConsensus::open(genesis, validator, store).value());
    DirectoryServer server(*engine, genesis);
    DirectoryClient client(
        genesis, member, {}, calls, random, clock.read(), [](const DirectoryList&) {}, [] { return Load{}; });
    client.set_descriptor({member.id(), wire::Role::user, {member.id().value}, {{"127.0.0.1", 7}}, {}, 0, "", "fuzz"},
                          clock.read());
    if (client.adopt(input, clock.read())) check(client.list().has_value(), "an adopted list is there");

    ByteReader reader(input);
    for (int steps = 0; reader.remaining() > 0 && steps < 64; ++steps) {
        std::uint8_t length = reader.u8();
        ByteView piece = length == 0 ? reader.rest() : reader.bytes(std::min<std::size_t>(length, reader.remaining()));
        clock.time = std::max(clock.time, client.next_timer() == Time::max() ? clock.time : client.next_timer());
        client.on_timer(clock.read());
        for (const auto& [to, call] : std::exchange(calls.made, {})) {
            Bytes right;
            server.on_call(member.id(), call, clock.read(), [&](Bytes answer) { right = std::move(answer); });
            if (steps % 2 == 0) {
                Bytes raw(right.begin(), right.begin() + 8);
                append(raw, piece);
                client.on_response(to, raw, clock.read());
            } else {
                client.on_response(to, bend(std::move(right), piece), clock.read());
            }
        }
        check(engine->tick(clock.unix_now()).has_value(), "a block is made");
        if (client.list())
            check(verify_header(client.list()->header, genesis, genesis.network()).has_value(),
                  "a held list is signed");
        check(client.next_timer() <= clock.time + 120s, "the client goes on");
    }
    return 0;
}
