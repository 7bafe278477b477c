// A model node's end among hostile users and proxies: the input is a sequence of records, sealed truly under keys the
// fuzzer knows, and of raw cloves, lost links and time. Bounds hold, and nothing is left in the end.

#include <vector>

#include "base/random.h"
#include "exchange/model_side.h"
#include "fuzz_check.h"
#include "wire/path_sizes.h"

using namespace planetserve;
using namespace planetserve::exchange;

namespace {

struct Owner final : RunEvents {
    void on_run_progress(const RunId& run) override { side->on_run_progress(run, time); }
    ModelSide* side = nullptr;
    Time time{1s};
};

struct Sink final : wire::FrameSender {
    Status send(const NodeId&, wire::FrameType, std::initializer_list<ByteView> parts) override {
        std::size_t size = 0;
        for (ByteView part : parts) size += part.size();
        check(size <= ReplyHandle::size + wire::maximum_clove_size, "cloves sent are within their limit");
        if (++sent % 31 == 0) return fail(ErrorCode::exhausted, "full");
        return {};
    }
    std::size_t queued_bytes(const NodeId&) const override { return 0; }
    std::size_t sent = 0;
};

struct Engine final : inference::Service {
    struct Call final : inference::Exchange {
        Call(Engine& own, inference::ReplySink& own_sink) : engine(own), sink(own_sink) {
            engine.calls.push_back(this);
        }
        ~Call() override { std::erase(engine.calls, this); }
        void consumed(std::size_t) override {}
        Engine& engine;
        inference::ReplySink& sink;
        bool headed = false;
    };
    Result<std::unique_ptr<inference::Exchange>> start(inference::Request, inference::ReplySink& sink) override {
        if (calls.size() >= 64) return fail(ErrorCode::exhausted, "full");
        return std::make_unique<Call>(*this, sink);
    }
    std::vector<Call*> calls;
};

// Forwards every other request to one of three members, and accepts from two of them.
struct Group final : Forwarding {
    static NodeId member(std::uint8_t number) { return NodeId{{100, static_cast<std::uint8_t>(number % 3)}}; }
    std::optional<NodeId> place(const inference::Request&, const std::set<NodeId>& excluded, Time) override {
        NodeId to = member(++placed);
        if (placed % 2 == 0 || excluded.contains(to)) return std::nullopt;
        return to;
    }
    bool accepts_from(const NodeId& node, const std::string&) override { return node != member(2); }
    std::uint8_t placed = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    SeededRandom random(1);
    static SeededRandom key_random(2);
    static const auto onion = crypto::AgreementKey::generate(key_random);
    static const auto self = key_random.id<NodeId>();
    static const std::vector<crypto::AgreementKey> users{crypto::AgreementKey::generate(key_random),
                                                         crypto::AgreementKey::generate(key_random)};
    Owner owner;
    Sink sink;
    Engine engine;
    ModelSideLimits limits;
    limits.maximum_exchanges = 8;
    limits.maximum_body = 1 << 16;
    limits.maximum_assembly = 1 << 17;
    ModelSide side(self, onion, limits, sink, engine, random, owner);
    owner.side = &side;
    Group group;
    side.set_forwarding(group);
    std::vector<std::unique_ptr<RecordSender>> senders;
    for (const auto& user : users) {
        ExchangeId id{user.public_key().value};
        auto keys = derive_keys(user, onion.public_key(), id, onion.public_key());
        senders.push_back(
            std::make_unique<RecordSender>(RecordKind::request, keys->request, dispersal::Threshold{4, 3}));
        senders.push_back(
            std::make_unique<RecordSender>(RecordKind::control, keys->control, dispersal::Threshold{4, 3}));
    }
    const crypto::Identity asker = owner_of({}, {});
    ByteReader input(ByteView(data, size));
    auto some = [&] { return input.bytes(std::min<std::size_t>(input.remaining(), input.u8())); };
    auto deliver = [&](std::size_t which, ByteView record) {
        ExchangeId id{users[which / 2].public_key().value};
        RecordKind kind = which % 2 == 0 ? RecordKind::request : RecordKind::control;
        std::uint8_t proxy = 0;
        for (const Bytes& clove : senders[which]->add(record, random)) {
            NodeId from{{proxy++}};
            if (input.u8() % 5 == 4) continue;  // lost on its way
            side.on_clove(from, seal_envelope(kind, id.bytes(), clove), owner.time);
        }
    };
    for (int step = 0; input.remaining() > 0 && step < 200; ++step) {
        switch (input.u8() % 9) {
            case 0: {  // a whole true request
                RequestHead head{{}, "POST", "/v1", "", "m", 0, {}, 3};
                head.id.value[0] = input.u8() % 3;
                for (std::uint8_t i = 0; i < 4; ++i) head.lanes.push_back({NodeId{{i}}, random.id<ReplyHandle>()});
                const std::size_t which = input.u8() % 2;
                if (input.u8() % 8 != 0) sign(head, {}, ExchangeId{users[which].public_key().value}, asker);
                Bytes record;
                append_item(record, ItemKind::request_head, encode(head));
                append_item(record, ItemKind::end, {});
                deliver(which * 2, record);
                break;
            }
            case 1: {  // a true control message
                Control control{input.u16(),
                                input.u32(),
                                input.u8() % 16 == 0,
                                {{static_cast<std::uint8_t>(input.u8() % 6), {NodeId{{1}}, random.id<ReplyHandle>()}}}};
                Bytes record;
                append_item(record, ItemKind::control, encode(control));
                deliver(1 + input.u8() % 2 * 2, record);
                break;
            }
            case 2:
                deliver(input.u8() % 4, some());
                break;  // a true record of nonsense
            case 3:
                side.on_clove(NodeId{}, some(), owner.time);
                break;
            case 4: {
                NodeId peer{{static_cast<std::uint8_t>(input.u8() % 5)}};
                side.on_link_down(peer, owner.time);
                side.on_drained(peer);
                side.on_reply_closed(peer, some(), owner.time);
                break;
            }
            case 5: {
                if (engine.calls.empty()) break;
                auto* call = engine.calls[input.u8() % engine.calls.size()];
                std::uint8_t what = input.u8() % 4;
                if (!std::exchange(call->headed, true))
                    call->sink.on_head({200, {{"content-type", "text/plain"}}});
                else if (what == 0)
                    call->sink.on_end();
                else if (what == 1)
                    call->sink.on_error({ErrorCode::internal, "broken"});
                else
                    call->sink.on_body(Bytes(input.u16()));
                break;
            }
            case 6:
                owner.time += std::chrono::milliseconds(input.u16());
                side.on_timer(owner.time);
                check(side.next_timer() > owner.time, "a timer that was served is not due again");
                break;
            case 7: {  // another node forwards a request
                std::uint8_t which = input.u8();
                ExchangeId id{users[which % 2].public_key().value};
                RequestHead head{{}, "POST", "/v1", "", "m", input.u8(), {}, 3};
                head.id.value[0] = input.u8() % 3;
                for (std::uint8_t i = 0; i < 4; ++i) head.lanes.push_back({NodeId{{i}}, random.id<ReplyHandle>()});
                if (which % 8 != 0) sign(head, Bytes(head.body_size), id, asker);
                Bytes encoded = encode(head);
                std::array<std::uint8_t, 4> encoded_size{};
                store_big_endian(MutableByteView(encoded_size),
                                 static_cast<std::uint32_t>(encoded.size() + (which >= 250 ? which : 0)));
                Bytes payload = to_bytes(id.bytes());
                append(payload, encoded_size);
                append(payload, encoded);
                payload.resize(payload.size() + head.body_size);
                side.on_forward_request(Group::member(which), payload, owner.time);
                break;
            }
            case 8: {  // the answer of a node that was offered a request, and the control record of one that forwarded
                       // one
                ExchangeId id{users[input.u8() % 2].public_key().value};
                NodeId from = Group::member(input.u8());
                Bytes answer = to_bytes(id.bytes());
                answer.push_back(input.u8() % 4);
                side.on_forward_answer(from, answer, owner.time);
                Control control{input.u16(), input.u32(), input.u8() % 16 == 0, {}};
                Bytes word = to_bytes(id.bytes());
                if (input.u8() % 4 == 0)
                    append(word, some());
                else
                    append_item(word, ItemKind::control, encode(control));
                side.on_forward_control(from, word, owner.time);
                break;
            }
        }
        check(side.exchanges() <= 8, "exchanges are bounded");
        check(side.assembly_bytes() <= limits.maximum_assembly + (1 << 20), "what is held is bounded");
    }
    for (int i = 0; i < 1000; ++i) {
        owner.time += 2s;
        side.on_timer(owner.time);
        auto calls = engine.calls;
        if (i == 100)
            for (auto* call : calls) call->sink.on_error({ErrorCode::internal, "broken"});
    }
    check(side.exchanges() == 0, "no exchange outlives its deadlines");
    check(side.assembly_bytes() == 0, "what was held is accounted for");
    check(side.kept_bytes() == 0, "what was kept is accounted for");
    return 0;
}
