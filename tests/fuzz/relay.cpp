// A relay that is also a proxy, among hostile neighbours: the input is a sequence of frames, some made true (a set-up
// for this node, a cell sealed with the path's key), some raw. Bounds hold, and nothing is left after everything
// expired.

#include <map>
#include <vector>

#include "base/random.h"
#include "fuzz_check.h"
#include "onion/proxy.h"

using namespace planetserve;
using namespace planetserve::onion;

namespace {

class Sink final : public wire::FrameSender {
public:
    Status send(const NodeId&, wire::FrameType type, std::initializer_list<ByteView> parts) override {
        std::size_t size = 0;
        for (ByteView part : parts) size += part.size();
        auto limits = wire::payload_limits(static_cast<std::uint8_t>(type));
        check(limits && size >= limits->minimum && size <= limits->maximum, "frames sent are within their limits");
        if (++sent_ % 97 == 0) return fail(ErrorCode::exhausted, "full");
        return {};
    }
    std::size_t queued_bytes(const NodeId&) const override { return sent_ % 5 == 0 ? 2 << 20 : 0; }

private:
    std::size_t sent_ = 0;
};

struct TruePath {
    NodeId peer;
    PathId id;
    HopKeys keys;
    std::uint64_t sent = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    SeededRandom random(1);
    static SeededRandom key_random(2);
    static const auto key = crypto::AgreementKey::generate(key_random);
    static const auto self = key_random.id<NodeId>();
    Sink sink;
    RelayLimits limits;
    limits.maximum_paths = 16;
    limits.maximum_paths_per_peer = 8;
    Relay relay(self, key, limits, sink, random);
    ProxyLimits proxy_limits;
    proxy_limits.maximum_streams_per_path = 4;
    Proxy proxy(relay, proxy_limits, sink);
    UnixTime unix_now{1'800'000'000'000};
    Time now{1s};
    std::vector<TruePath> paths;
    std::vector<ReplyHandle> handles;
    ByteReader input(ByteView(data, size));
    auto peer = [&] {
        NodeId id;
        id.value[0] = static_cast<std::uint8_t>(1 + input.u8() % 3);
        return id;
    };
    auto body_from_input = [&](CellBody& body) {
        ByteView bytes = input.bytes(std::min<std::size_t>(input.remaining(), input.u8()));
        std::copy(bytes.begin(), bytes.end(), body.begin());
    };
    while (input.remaining() > 0) {
        switch (input.u8() % 8) {
            case 0: {  // a true set-up that ends here
                TruePath path{peer(), random.id<PathId>(), {}, 0};
                auto built = build_setup(std::vector<SetupHop>{{self, key.public_key()}},
                                         expiry_minutes(unix_now) + 1 + input.u8() % 3, random);
                path.keys = built->keys[0];
                Bytes payload = to_bytes(path.id.bytes());
                append(payload, built->packet);
                relay.on_setup(path.peer, payload, {now, unix_now});
                paths.push_back(path);
                break;
            }
            case 1: {  // a true set-up that goes on
                NodeId next;
                next.value[0] = 9;
                auto other = crypto::AgreementKey::generate(random);
                auto built = build_setup(std::vector<SetupHop>{{self, key.public_key()}, {next, other.public_key()}},
                                         expiry_minutes(unix_now) + 1, random);
                Bytes payload = to_bytes(random.id<PathId>().bytes());
                append(payload, built->packet);
                relay.on_setup(peer(), payload, {now, unix_now});
                break;
            }
            case 2:
            case 3: {  // a cell that opens, saying what the input says
                if (paths.empty()) break;
                TruePath& path = paths[input.u8() % paths.size()];
                CellBody body{};
                std::uint8_t command = input.u8() % 10;
                NodeId model;
                model.value[0] = 7;
                auto handle = random.id<ReplyHandle>();
                if (command == static_cast<std::uint8_t>(Command::open)) {
                    write_inner(body, {Command::open, input.u8() % 6u}, {model.bytes(), handle.bytes()});
                    handles.push_back(handle);
                } else if (command >= 1 && command <= 8) {
                    ByteView bytes = input.bytes(std::min<std::size_t>(input.remaining(), input.u8()));
                    // In this order: the corpus was made with it.
                    auto part = input.u8() % 2 == 0 ? ClovePart::first : ClovePart::further;
                    StreamId stream = input.u8() % 6u;
                    write_inner(body, {static_cast<Command>(command), stream, part}, {bytes});
                } else {
                    body_from_input(body);
                }
                seal_cell(path.keys.forward, path.sent++, body);
                Bytes payload = to_bytes(path.id.bytes());
                append(payload, body);
                relay.on_cell(path.peer, payload, now);
                break;
            }
            case 4: {  // raw frames
                Bytes payload = to_bytes(input.bytes(std::min<std::size_t>(input.remaining(), input.u8())));
                NodeId from = peer();
                relay.on_setup(from, payload, {now, unix_now});
                relay.on_destroy(from, payload);
                relay.on_cell(from, payload, now);
                proxy.on_clove_reply(from, payload, now);
                break;
            }
            case 5: {
                if (handles.empty()) break;
                Bytes payload = to_bytes(handles[input.u8() % handles.size()].bytes());
                payload.resize(payload.size() + 1 + input.u16() % wire::maximum_clove_size);
                proxy.on_clove_reply(peer(), payload, now);
                break;
            }
            case 6: {
                NodeId lost = peer();
                if (input.u8() % 2 == 0) lost.value[0] = 7;
                relay.on_link_down(lost);
                proxy.on_link_down(lost);
                relay.on_drained(lost);
                proxy.on_drained(lost);
                break;
            }
            case 7: {
                Duration step = std::chrono::seconds(input.u8());
                now += step;
                unix_now = unix_now + std::chrono::duration_cast<std::chrono::milliseconds>(step);
                relay.on_timer(now);
                proxy.on_timer(now);
                check(relay.next_timer() > now && proxy.next_timer() > now, "a timer that was served is not due again");
                break;
            }
        }
        check(relay.paths() <= 16, "paths are bounded");
        check(proxy.streams() <= 16 * 4, "streams are bounded");
    }
    relay.on_timer(now + 2h);
    check(relay.paths() == 0 && proxy.streams() == 0, "nothing outlives its expiry");
    return 0;
}
