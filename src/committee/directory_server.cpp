#include "committee/directory_server.h"

#include <algorithm>

#include "committee/directory_calls.h"

namespace planetserve::committee {

namespace {

constexpr std::size_t part_size = 512 * 1024;
// A list of several parts is not made anew more often than this, and an old one is kept this long for those who are
// still fetching it, as far as memory allows.
constexpr auto snapshot_every = std::chrono::milliseconds(1000);
constexpr auto keep_snapshots = std::chrono::milliseconds(60'000);
constexpr std::size_t maximum_snapshot_bytes = 128 << 20;

void refuse(proto::Answer& answer, const Error& error) {
    answer.mutable_refusal()->set_code(static_cast<std::uint32_t>(error.code));
    answer.mutable_refusal()->set_message(error.message);
}

bool is(ByteView bytes, const crypto::Digest& digest) {
    return std::equal(bytes.begin(), bytes.end(), digest.begin(), digest.end());
}

Bytes framed(ByteView call_id, const proto::Answer& answer) {
    Bytes payload = to_bytes(call_id);
    append(payload, as_bytes(answer.SerializeAsString()));
    return payload;
}

}  // namespace

void DirectoryServer::on_call(const NodeId& from, ByteView payload, const Now& now, Reply reply) {
    if (payload.size() < call_id_size) return;
    ++calls_;
    ByteView body = payload.subspan(call_id_size);
    Bytes call_id = to_bytes(payload.first(call_id_size));
    proto::Call call;
    proto::Answer answer;
    if (!limiter_.take(from, now.time)) {
        refuse(answer, {ErrorCode::exhausted, "too many calls; try again in a second"});
    } else if (!call.ParseFromArray(body.data(), static_cast<int>(body.size()))) {
        refuse(answer, {ErrorCode::malformed, "a call that does not parse"});
    } else if (call.body_case() == proto::Call::kSubmit) {
        return answer_submit(call.submit(), now.unix, std::move(call_id), std::move(reply));
    } else if (call.body_case() == proto::Call::kFetch) {
        answer_fetch(call.fetch(), now.unix, answer);
    } else if (call.body_case() == proto::Call::kGenesis) {
        answer.mutable_founding()->set_genesis(genesis_);
        answer.mutable_founding()->set_time_ms(now.unix.milliseconds);
    } else {
        refuse(answer, {ErrorCode::malformed, "a call of a kind that this version does not know"});
    }
    if (answer.body_case() == proto::Answer::kRefusal) ++*refused_;
    reply(framed(call_id, answer));
}

void DirectoryServer::answer_submit(std::string_view transaction, UnixTime now, Bytes call_id, Reply reply) {
    // The engine may answer when this server is gone.
    engine_.submit(as_bytes(transaction), now,
                   [refused = refused_, call_id = std::move(call_id), reply = std::move(reply)](const Status& taken) {
                       proto::Answer answer;
                       if (taken) {
                           answer.set_submitted(true);
                       } else {
                           refuse(answer, taken.error());
                           ++*refused;
                       }
                       reply(framed(call_id, answer));
                   });
}

void DirectoryServer::answer_fetch(const proto::FetchState& fetch, UnixTime now, proto::Answer& answer) {
    const Snapshot* snapshot = nullptr;
    if (fetch.offset() == 0) {
        auto newest = latest(now);
        if (!newest) return refuse(answer, newest.error());
        snapshot = *newest;
    } else {
        snapshot = find(as_bytes(fetch.app_hash()));
    }
    if (snapshot == nullptr)
        return refuse(answer, {ErrorCode::not_found, "that list is no longer kept; fetch it from its beginning"});
    if (fetch.offset() == 0 && is(as_bytes(fetch.known_app_hash()), snapshot->header.app_hash))
        return to_proto(snapshot->header, *answer.mutable_current());
    const Bytes& state = snapshot->state;
    if (fetch.offset() > state.size())
        return refuse(answer, {ErrorCode::invalid_argument, "an offset beyond the list"});
    auto offset = static_cast<std::size_t>(fetch.offset());
    auto* part = answer.mutable_part();
    to_proto(snapshot->header, *part->mutable_header());
    part->set_total(state.size());
    part->set_offset(offset);
    part->set_bytes(to_string(ByteView(state).subspan(offset, std::min(part_size, state.size() - offset))));
}

Result<const DirectoryServer::Snapshot*> DirectoryServer::latest(UnixTime now) {
    auto proof = engine_.proof(now);
    if (!proof) return std::unexpected(proof.error());
    if (!snapshots_.empty()) {
        Snapshot& last = snapshots_.back();
        if (last.header.app_hash == proof->app_hash) {
            last.header = std::move(*proof);
            return &last;
        }
        bool large = last.state.size() > part_size;
        if (large && now >= last.made && now - last.made < snapshot_every) return &last;
        if (!large) snapshots_.pop_back();  // nobody is in the middle of it
    }
    snapshots_.push_back({std::move(*proof), engine_.proven_state(), now});
    std::size_t total = 0;
    for (const Snapshot& snapshot : snapshots_) total += snapshot.state.size();
    while (snapshots_.size() > 1 &&
           (now - snapshots_.front().made > keep_snapshots || total > maximum_snapshot_bytes)) {
        total -= snapshots_.front().state.size();
        snapshots_.pop_front();
    }
    return &snapshots_.back();
}

const DirectoryServer::Snapshot* DirectoryServer::find(ByteView app_hash) const {
    auto found = std::find_if(snapshots_.begin(), snapshots_.end(),
                              [&](const Snapshot& snapshot) { return is(app_hash, snapshot.header.app_hash); });
    return found == snapshots_.end() ? nullptr : &*found;
}

}  // namespace planetserve::committee
