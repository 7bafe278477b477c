// What the tests of this folder share: nodes, a genesis, a clock that is set by hand, a store in memory.
#pragma once

#include "committee/directory_server.h"
#include "committee/embedded_consensus.h"

namespace planetserve::committee {

struct Member {
    crypto::Identity identity;
    crypto::AgreementKey onion;
    NodeDescriptor descriptor;
};

inline Member make_member(Random& random, wire::Role role = wire::Role::user) {
    Member member{crypto::Identity::generate(random), crypto::AgreementKey::generate(random), {}};
    member.descriptor = {
        member.identity.id(), role, member.onion.public_key(), {{"127.0.0.1", 7700}}, {}, 0, "", "test"};
    if (role == wire::Role::model) {
        member.descriptor.models = {{"m", 4096, "llama.cpp", true, {}}};
        member.descriptor.capacity = 4;
    }
    return member;
}

// One of 8 KiB, so that few make a list of several parts.
inline Member make_large_member(Random& random) {
    Member member = make_member(random, wire::Role::model);
    member.descriptor.models.clear();
    for (int i = 0; i < 32; ++i)
        member.descriptor.models.push_back({std::string(120, 'm') + std::to_string(i), 4096, std::string(64, 'e'), true,
                                            Bytes(32, static_cast<std::uint8_t>(i))});
    return member;
}

struct TestClock final : Clock {
    Time now() const override { return time; }
    UnixTime unix_now() const override {
        return {2'000'000 + std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count()};
    }
    Time time{1s};
};

struct MemoryStore final : Store {
    Result<std::optional<StoredState>> load(const wire::NetworkId&) override { return stored; }
    Status save(const wire::NetworkId&, std::int64_t height, UnixTime time, const crypto::Digest& app_hash,
                const Changes& changes) override {
        if (!stored) stored.emplace();
        stored->height = height;
        stored->time = time;
        stored->app_hash = app_hash;
        for (const auto& [id, value] : changes) {
            if (value)
                stored->entries[id] = *value;
            else
                stored->entries.erase(id);
        }
        return {};
    }
    std::optional<StoredState> stored;
};

// What a server answers whose engine answers at once; nothing to what is no call.
inline std::optional<Bytes> call(DirectoryServer& server, const NodeId& from, ByteView payload, const Now& now) {
    std::optional<Bytes> answer;
    server.on_call(from, payload, now, [&](Bytes reply) { answer = std::move(reply); });
    return answer;
}

}  // namespace planetserve::committee
