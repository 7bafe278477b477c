// For tests: what hostile proxies, users and model nodes do in an exchange.
#pragma once

#include "exchange/exchange_fixture.h"

namespace planetserve::exchange {

class HostileTest : public ExchangeTest {
protected:
    // Cloves of records that another node than the asked one seals truly.
    struct OtherNode {
        OtherNode(SeededRandom& random, const ExchangeId& exchange)
            : id(random.id<NodeId>()), onion(crypto::AgreementKey::generate(random)) {
            auto keys = derive_keys(onion, crypto::AgreementPublicKey{exchange.value}, exchange, onion.public_key());
            replies.emplace(RecordKind::reply, keys->reply, dispersal::Threshold{4, 3});
        }
        NodeId id;
        crypto::AgreementKey onion;
        std::optional<RecordSender> replies;
    };

    static Bytes record_of(ItemKind kind, ByteView content = {}) {
        Bytes record;
        append_item(record, kind, content);
        return record;
    }
    // A clove that nobody sent, of a size that the receiver cannot tell from a true one's.
    Bytes forged(RecordKind kind, std::uint64_t number, std::uint8_t index, std::size_t size = 512) {
        MessageId id;
        id.value[0] = static_cast<std::uint8_t>(kind);
        store_big_endian(MutableByteView(id.value).subspan(8), number);
        crypto::SymmetricKey nobody;
        return (*dispersal::split(Bytes(size), {4, 3}, id, nobody.bytes(), random_))[index];
    }
    // The first of the user's proxies brings every clove of the request, each with a bit changed.
    void bring_all_changed(const User& user) {
        for (const auto& [lane, envelope] : user.sent) {
            Bytes changed = envelope;
            changed.back() ^= 1;
            model_side_->on_clove(user.proxies[0], changed, clock_.now());
        }
    }
    NodeId peer(std::uint8_t number) { return NodeId{{9, number}}; }

    // A user that seals records truly and says in them what it likes.
    struct RawUser {
        RawUser(HostileTest& own, dispersal::Threshold threshold, std::vector<Lane> own_lanes)
            : test(own), lanes(std::move(own_lanes)), key(crypto::AgreementKey::generate(own.random_)) {
            id.value = key.public_key().value;
            auto keys = derive_keys(key, own.onion_.public_key(), id, own.onion_.public_key());
            requests.emplace(RecordKind::request, keys->request, threshold);
            controls.emplace(RecordKind::control, keys->control, threshold);
            head = {own.random_.id<IdempotencyId>(), "POST", "/v1/completions", "", "m", 0, lanes, threshold.k};
        }
        // Every clove of the record by way of one of the proxies, one after another.
        void send(RecordKind kind, ByteView record, const std::vector<NodeId>& proxies) {
            auto cloves = (kind == RecordKind::request ? requests : controls)->add(record, test.random_);
            for (std::size_t i = 0; i < cloves.size(); ++i)
                test.model_side_->on_clove(proxies[i % proxies.size()], seal_envelope(kind, id.bytes(), cloves[i]),
                                           test.clock_.now());
        }
        void ask(const std::vector<NodeId>& proxies) {
            sign(head, {}, id, owner_of(head.id, {}));
            Bytes record;
            append_item(record, ItemKind::request_head, encode(head));
            append_item(record, ItemKind::end, {});
            send(RecordKind::request, record, proxies);
        }
        void say(const Control& control, const std::vector<NodeId>& proxies) {
            send(RecordKind::control, record_of(ItemKind::control, encode(control)), proxies);
        }

        HostileTest& test;
        std::vector<Lane> lanes;
        crypto::AgreementKey key;
        ExchangeId id;
        RequestHead head;
        std::optional<RecordSender> requests, controls;
    };
    // The handle's first byte marks whom it is for; no user of the fixture has it.
    Lane lane_at(const NodeId& proxy, std::uint8_t mark) {
        Lane lane{proxy, random_.id<ReplyHandle>()};
        lane.handle.value[0] = mark;
        lane.handle.value[1] = proxy.value[1];
        return lane;
    }
};

}  // namespace planetserve::exchange
