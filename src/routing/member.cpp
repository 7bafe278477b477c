// What a member tells the others and learns from them. member_place.cpp decides where prompts go.

#include "routing/member.h"

#include <algorithm>

namespace planetserve::routing {

namespace {

// Messages between members: an offer of a key (32 bytes), or the name of a key (8) and a sync message under it.
enum class MessageKind : std::uint8_t { key_offer = 1, sync = 2 };

constexpr Duration repair_check = 1s;
// How many former arrays look-ups try besides the current one.
constexpr std::size_t former_arrays = 3;
// The least time between two offers to one peer.
constexpr Duration offer_pause = 1s;
// A report includes the forwards before it was made. This covers the time of a forward and of the report on the
// network.
constexpr Duration report_delay = 100ms;

}  // namespace

Member::Member(const NodeId& self, MemberOptions options, Incarnation incarnation, Random& random, MemberOutput& output)
    : self_(self),
      options_(std::move(options)),
      incarnation_(incarnation),
      random_(random),
      output_(output),
      keys_(random.id<GroupKey>()),
      agreement_(options_.array),
      tree_(random.next(), options_.tree),
      mirror_(random.next(), options_.cache_bytes, options_.cache_entries),
      bytes_per_token_(options_.bytes_per_token),
      blocks_(options_.follow_cache ? random.next() : 0, options_.blocks) {
    tree_.set_budget(self_index, options_.cache_entries);
    start_over(incarnation);
}

// The key is new, so everything hashed under the former key is worthless.
void Member::start_over(Incarnation incarnation) {
    incarnation_ = incarnation;
    mirror_.clear();
    tree_.remove_holder(self_index);
    for (auto& [id, known] : peers_)
        if (replica_) replica_->remove(known.index);
    publisher_ = std::make_unique<Publisher>(incarnation_, options_.width, mirror_, options_.publisher);
    publisher_->set_load(own_load_);
    publisher_->set_array(agreement_.stance());
    replica_ = std::make_unique<Replica>(tree_, options_.width);
    sentry_ = std::make_unique<Sentry>(keys_.key().bytes(), options_.sentry);
    former_hashers_.clear();
    computing_.clear();
    computing_by_.clear();
    settling_.clear();
    blocks_.unbind_all();
    make_hasher();
}

void Member::make_hasher() {
    hasher_ = std::make_unique<ChunkHasher>(keys_.key().bytes(), agreement_.current(), options_.width);
}

void Member::set_peers(const std::vector<Peer>& peers, Trust own_trust, Time now) {
    own_trust_ = own_trust;
    std::set<NodeId> listed;
    for (const Peer& peer : peers) {
        if (peer.id == self_) continue;
        listed.insert(peer.id);
        auto [found, added] = peers_.try_emplace(peer.id);
        Known& known = found->second;
        known.trust = peer.trust;
        if (!added) continue;
        if (free_indices_.empty()) {
            known.index = next_index_++;
        } else {
            known.index = free_indices_.back();
            free_indices_.pop_back();
        }
        known.listed_at = now;
        offer_key(peer.id, known, now);
    }
    for (auto peer = peers_.begin(); peer != peers_.end();) {
        if (listed.contains(peer->first)) {
            ++peer;
            continue;
        }
        replica_->remove(peer->second.index);
        keys_.remove(peer->first);
        agreement_.remove(peer->second.index);
        free_indices_.push_back(peer->second.index);
        peer = peers_.erase(peer);
    }
    if (next_sync_ == Time{} && !peers_.empty()) next_sync_ = next_repair_ = now;
}

void Member::on_link_down(const NodeId& peer) {
    auto found = peers_.find(peer);
    if (found != peers_.end()) found->second.reachable = false;
}

void Member::send(const NodeId& peer, ByteView message) {
    ++counters_.messages_sent;
    counters_.bytes_sent += message.size();
    output_.send_sync(peer, message);
}

void Member::send_sync(const NodeId& peer, const Bytes& message) {
    Bytes whole;
    ByteWriter writer(whole);
    writer.u8(static_cast<std::uint8_t>(MessageKind::sync));
    writer.bytes(keys_.name().bytes());
    writer.bytes(message);
    send(peer, whole);
}

void Member::offer_key(const NodeId& peer, Known& known, std::optional<Time> now) {
    if (now && known.offered_at && *now < *known.offered_at + offer_pause) return;
    if (now) known.offered_at = now;
    Bytes whole;
    ByteWriter writer(whole);
    writer.u8(static_cast<std::uint8_t>(MessageKind::key_offer));
    writer.bytes(keys_.key().bytes());
    send(peer, whole);
}

void Member::consider_keys() {
    if (!keys_.update()) return;
    ++counters_.rekeyed;
    start_over(incarnation_ + 1);
    for (auto& [id, known] : peers_) offer_key(id, known, std::nullopt);
}

void Member::on_message(const NodeId& from, ByteView message, Time now) {
    counters_.bytes_received += message.size();
    auto found = peers_.find(from);
    if (found == peers_.end()) return;
    Known& known = found->second;
    ByteReader reader(message);
    switch (static_cast<MessageKind>(reader.u8())) {
        case MessageKind::key_offer: {
            auto key = GroupKey::from(reader.rest());
            if (!key || key->is_zero()) break;
            known.reachable = true;
            keys_.on_offer(from, *key);
            consider_keys();
            if (!keys_.agrees(from)) offer_key(from, known, now);
            return;
        }
        case MessageKind::sync: {
            auto name = GroupKeyName::from(reader.bytes(GroupKeyName::size));
            if (!name) break;
            known.reachable = true;
            // The peer uses another key, so one of the two nodes must change.
            if (*name != keys_.name()) return offer_key(from, known, now);
            // The peer's offer of this key may be lost, but the name says that the peer has it.
            keys_.on_offer(from, keys_.key());
            return on_sync(from, known, reader.rest(), now);
        }
    }
    ++counters_.refused;
}

void Member::on_sync(const NodeId& from, Known& known, ByteView message, Time now) {
    auto outcome = replica_->on_message(known.index, message, now);
    if (!outcome) {
        ++counters_.refused;
        return;
    }
    if (outcome->array) {
        agreement_.on_stance(known.index, std::move(*outcome->array));
        consider_array();
    }
    if (outcome->left) known.reachable = false;
    if (!outcome->request) known.in_flight.on_report(now - report_delay);
    if (outcome->reply) send_sync(from, *outcome->reply);
    if (outcome->request)
        for (const Bytes& part : publisher_->repair(known.index, *outcome->request, now)) send_sync(from, part);
}

void Member::consider_array() {
    if (!options_.adapt_array) return;
    if (agreement_.update(peers_.size() + 1)) {
        former_hashers_.insert(former_hashers_.begin(), std::move(hasher_));
        if (former_hashers_.size() > former_arrays) former_hashers_.pop_back();
        make_hasher();
    }
    publisher_->set_array(agreement_.stance());
}

void Member::set_load(const LoadReport& load, Time now) {
    own_load_ = load;
    publisher_->set_load(load);
    if (!peers_.empty() && publisher_->urgent())
        next_sync_ = std::min(next_sync_, synced_at_ ? *synced_at_ + options_.urgent_pause : now);
}

void Member::broadcast_deltas(Time now) {
    synced_at_ = now;
    next_sync_ = now + options_.sync_period;
    if (options_.adapt_array) {
        agreement_.on_period(sentry_->common_lengths(), sentry_->observed() >= options_.sentry.horizon,
                             peers_.size() + 1);
        consider_array();
    }
    for (const Bytes& delta : publisher_->deltas())
        for (const auto& [id, known] : peers_) send_sync(id, delta);
}

void Member::on_timer(Time now) {
    while (!settling_.empty() && settling_.front().due <= now) settle_oldest();
    if (now >= next_repair_) {
        next_repair_ = now + repair_check;
        for (auto& [id, known] : peers_) {
            known.in_flight.expire(now);
            if (!keys_.agrees(id)) offer_key(id, known, now);
            if (auto request = replica_->on_timer(known.index, now)) send_sync(id, *request);
        }
    }
    if (now >= next_sync_) broadcast_deltas(now);
}

Time Member::next_timer() const {
    Time next = peers_.empty() ? Time::max() : std::min(next_sync_, next_repair_);
    return settling_.empty() ? next : std::min(next, settling_.front().due);
}

void Member::leave() {
    for (const auto& [id, known] : peers_) send_sync(id, publisher_->leave());
}

std::vector<Member::PeerStatus> Member::peers() const {
    std::vector<PeerStatus> all;
    for (const auto& [id, known] : peers_)
        all.push_back({id, known.reachable && replica_->is_current(known.index), keys_.agrees(id),
                       tree_.content(known.index).prefixes, replica_->load(known.index).value_or(LoadReport{})});
    return all;
}

}  // namespace planetserve::routing
