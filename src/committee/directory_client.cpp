#include "committee/directory_client.h"

#include <algorithm>

#include "committee/committee.pb.h"

namespace planetserve::committee {

DirectoryClient::DirectoryClient(const Genesis& genesis, const crypto::Identity& identity,
                                 DirectoryClientOptions options, wire::FrameSender& sender, Random& random,
                                 const Clock& clock, OnList on_list, ReadLoad read_load)
    : genesis_(genesis),
      network_(genesis.network()),
      verifier_(genesis),
      identity_(identity),
      options_(options),
      sender_(sender),
      random_(random),
      clock_(clock),
      on_list_(std::move(on_list)),
      read_load_(std::move(read_load)) {
    fetch_.next = clock_.now();
    registration_.next = Time::max();
    validator_ = random_.below(genesis_.validators.size());
}

void DirectoryClient::set_descriptor(NodeDescriptor descriptor) {
    descriptor_ = std::move(descriptor);
    registered_ = false;
    if (!registration_.call) registration_.next = clock_.now();
}

std::optional<Endpoint> DirectoryClient::validator_address(const NodeId& id) const {
    const GenesisValidator* validator = genesis_.find(id);
    return validator == nullptr ? std::nullopt : std::optional(validator->address);
}

void DirectoryClient::on_timer() {
    Time now = clock_.now();
    for (Task* task : {&fetch_, &registration_}) {
        if (task->next > now) continue;
        if (task->call) {
            fail_task(*task, "does not answer");
            continue;
        }
        if (task == &fetch_)
            fetch();
        else
            submit();
    }
}

void DirectoryClient::call(Task& task, ByteView body) {
    task.validator = genesis_.validators[validator_ % genesis_.validators.size()].id;
    task.call = next_call_++;
    task.next = clock_.now() + options_.call_deadline;
    std::array<std::uint8_t, 8> id{};
    store_big_endian(MutableByteView(id), *task.call);
    auto sent = sender_.send(task.validator, wire::FrameType::call_request, {id, body});
    if (!sent) fail_task(task, sent.error().message);
}

void DirectoryClient::fail_task(Task& task, const std::string& why) {
    task.problem = "verification node " + task.validator.brief() + ": " + why;
    last_failure_ = task.problem;
    ++failures_;
    task.call.reset();
    ++validator_;  // another one may answer
    task.retry = task.retry == Duration{} ? options_.retry_first : std::min(task.retry * 2, options_.retry_most);
    // Spread, so that a verification node that comes back is not met by all at once.
    auto half = static_cast<std::uint64_t>(task.retry.count() / 2);
    task.next = clock_.now() + task.retry / 2 + Duration(static_cast<Duration::rep>(random_.below(half + 1)));
    if (&task == &fetch_) fetching_.reset();
}

void DirectoryClient::succeed(Task& task, Duration next) {
    task.call.reset();
    task.retry = {};
    task.problem.clear();
    task.next = clock_.now() + next;
}

void DirectoryClient::fetch() {
    proto::Call message;
    if (fetching_) {
        message.mutable_fetch()->set_offset(parts_.size());
        message.mutable_fetch()->set_app_hash(to_string(fetching_->app_hash));
    } else {
        fetch_began_ = clock_.now();
        message.mutable_fetch()->set_offset(0);
        if (list_) message.mutable_fetch()->set_known_app_hash(to_string(list_->header.app_hash));
    }
    call(fetch_, as_bytes(message.SerializeAsString()));
}

void DirectoryClient::submit() {
    if (!descriptor_) {
        registration_.next = Time::max();
        return;
    }
    last_sequence_ = std::max(last_sequence_ + 1, static_cast<std::uint64_t>(clock_.unix_now().milliseconds));
    Transaction transaction{network_, identity_.id(), last_sequence_, Deregister{}};
    if (registered_)
        transaction.body = Renew{read_load_()};
    else
        transaction = make_register(*descriptor_, network_, last_sequence_, identity_);
    proto::Call message;
    message.set_submit(to_string(sign(transaction, identity_)));
    call(registration_, as_bytes(message.SerializeAsString()));
}

void DirectoryClient::leave() {
    descriptor_.reset();
    if (!std::exchange(registered_, false) || genesis_.validators.empty()) return;
    last_sequence_ = std::max(last_sequence_ + 1, static_cast<std::uint64_t>(clock_.unix_now().milliseconds));
    proto::Call message;
    message.set_submit(to_string(sign(Transaction{network_, identity_.id(), last_sequence_, Deregister{}}, identity_)));
    call(registration_, as_bytes(message.SerializeAsString()));
}

void DirectoryClient::on_response(const NodeId& from, ByteView payload) {
    if (payload.size() < 8) return;
    std::uint64_t id = load_big_endian<std::uint64_t>(payload);
    for (Task* task : {&fetch_, &registration_}) {
        if (task->call != id || task->validator != from) continue;
        if (task == &fetch_)
            on_fetch_answer(payload.subspan(8));
        else
            on_submit_answer(payload.subspan(8));
        return;
    }
}

void DirectoryClient::on_link_down(const NodeId& peer) {
    for (Task* task : {&fetch_, &registration_})
        if (task->call && task->validator == peer) fail_task(*task, "cannot be reached");
}

void DirectoryClient::on_submit_answer(ByteView body) {
    proto::Answer answer;
    if (!answer.ParseFromArray(body.data(), static_cast<int>(body.size())))
        return fail_task(registration_, "an answer that does not parse");
    if (answer.body_case() == proto::Answer::kSubmitted) {
        if (descriptor_ && !registered_) registered_sequence_ = last_sequence_;
        registered_ = descriptor_.has_value();
        return succeed(registration_, std::chrono::milliseconds(genesis_.parameters.renew_ms));
    }
    if (answer.body_case() == proto::Answer::kRefusal) {
        if (answer.refusal().code() == static_cast<std::uint32_t>(ErrorCode::not_found)) {
            registered_ = false;  // the lease ran out, or the registry was lost
            return succeed(registration_, Duration{});
        }
        return fail_task(registration_, "registration refused: " + answer.refusal().message().substr(0, 500));
    }
    fail_task(registration_, "an answer to another question");
}

void DirectoryClient::on_fetch_answer(ByteView body) {
    proto::Answer answer;
    if (!answer.ParseFromArray(body.data(), static_cast<int>(body.size())))
        return fail_task(fetch_, "a list that does not parse");
    if (answer.body_case() == proto::Answer::kRefusal)
        return fail_task(fetch_, "list refused: " + answer.refusal().message().substr(0, 500));
    if (answer.body_case() != proto::Answer::kCurrent && answer.body_case() != proto::Answer::kPart)
        return fail_task(fetch_, "an answer to another question");
    bool current = answer.body_case() == proto::Answer::kCurrent;
    auto header = from_proto(current ? answer.current() : answer.part().header());
    if (!header) return fail_task(fetch_, header.error().message);
    if (current) return take_current(std::move(*header));
    take_part(std::move(*header), answer.part().total(), answer.part().offset(), as_bytes(answer.part().bytes()));
}

void DirectoryClient::take_current(StateHeader header) {
    Status checked = check_header(header);
    if (checked && (fetching_ || !list_ || header.app_hash != list_->header.app_hash))
        checked = fail(ErrorCode::malformed, "a header of another list");
    if (!checked) return fail_task(fetch_, checked.error().message);
    if (header.time >= list_->header.time) list_->header = std::move(header);
    succeed(fetch_, refresh());
}

void DirectoryClient::take_part(StateHeader header, std::uint64_t total, std::uint64_t offset, ByteView bytes) {
    // Entries that were there already may have grown by their renewals since the limit was looked at.
    std::uint64_t most = genesis_.parameters.maximum_list_bytes + genesis_.parameters.maximum_list_bytes / 4;
    if (total > most)
        return fail_task(
            fetch_, "a list of " + std::to_string(total) + " bytes; at most " + std::to_string(most) + " are taken");
    if (!fetching_) {
        // Looked at before the list is gathered, so that only validators can make this node hold one.
        if (auto checked = check_header(header); !checked) return fail_task(fetch_, checked.error().message);
        fetching_ = std::move(header);
        parts_.clear();
    } else if (header.app_hash != fetching_->app_hash) {
        return fail_task(fetch_, "a part of another list");
    }
    bool last = parts_.size() + bytes.size() == total;
    if (offset != parts_.size() || bytes.size() > total - parts_.size() || (bytes.empty() && !last))
        return fail_task(fetch_, "a list that does not add up");
    append(parts_, bytes);
    if (!last) {
        if (clock_.now() - fetch_began_ > options_.fetch_deadline)
            return fail_task(fetch_, "sends its list too slowly");
        fetch_.call.reset();
        fetch_.next = clock_.now();
        return;
    }
    Status taken = take_list(*std::exchange(fetching_, std::nullopt), std::exchange(parts_, {}));
    if (!taken) return fail_task(fetch_, taken.error().message);
    succeed(fetch_, refresh());
}

Duration DirectoryClient::refresh() const {
    auto at_rate = std::chrono::seconds(state_.size() / std::max<std::size_t>(options_.list_bytes_per_second, 1));
    return std::max<Duration>(options_.refresh, at_rate);
}

std::optional<std::chrono::milliseconds> DirectoryClient::list_age() const {
    if (!list_) return std::nullopt;
    return clock_.unix_now() - list_->header.time;
}

Status DirectoryClient::check_header(const StateHeader& header) {
    if (auto verified = verifier_.verify(header, clock_.unix_now()); !verified) return verified;
    auto age = clock_.unix_now() - header.time;
    if (age > options_.maximum_age)
        return fail(ErrorCode::timed_out, "the list is " + std::to_string(age.count() / 1000) +
                                              " s old; the verification node or this clock is wrong");
    if (-age > std::chrono::milliseconds(genesis_.parameters.clock_tolerance_ms))
        return fail(ErrorCode::timed_out, "the list is of " + std::to_string(-age.count() / 1000) +
                                              " s from now; the verification node's clock or this one is wrong");
    if (list_ && header.height < list_->header.height)
        return fail(ErrorCode::authentication, "a list of height " + std::to_string(header.height) + " after one of " +
                                                   std::to_string(list_->header.height));
    if (list_ && header.height == list_->header.height && header.app_hash != list_->header.app_hash)
        return fail(ErrorCode::authentication, "two different lists are signed for height " +
                                                   std::to_string(header.height) + "; a validator is dishonest");
    return {};
}

// Each node signed its descriptor, and it is no older than the one in hand. A signature takes as long to check as a
// hundred entries to parse; those in hand are not checked again.
Status DirectoryClient::check_descriptors(const ParsedState& state) const {
    for (const auto& [id, entry] : state.entries) {
        if (!entry.descriptor) continue;
        const Entry* known = nullptr;
        if (list_) {
            auto found = list_->entries.find(id);
            if (found != list_->entries.end() && found->second.descriptor) known = &found->second;
        }
        if (known != nullptr && known->signed_descriptor == entry.signed_descriptor) continue;
        if (!verify_descriptor(entry.signed_descriptor, id, network_))
            return fail(ErrorCode::authentication,
                        "a list with a descriptor that node " + id.brief() + " did not sign; a validator is dishonest");
        if (known != nullptr && entry.descriptor->sequence <= known->descriptor->sequence)
            return fail(ErrorCode::authentication, "a list with an older descriptor of node " + id.brief() +
                                                       " than the one in hand; a validator is dishonest");
    }
    return {};
}

// What was taken may be lost with the node that took it, before a block holds it. The renewals of a node that is not
// listed are refused; one that is listed with what it said before must see it for itself.
void DirectoryClient::notice_lost_registration() {
    if (!registered_ || registration_.call) return;
    auto settled = UnixTime{static_cast<std::int64_t>(registered_sequence_)} +
                   std::chrono::milliseconds(genesis_.parameters.renew_ms);
    if (list_->header.time < settled) return;
    auto own = list_->entries.find(identity_.id());
    if (own == list_->entries.end() || !own->second.descriptor) return;
    if (own->second.descriptor->sequence >= registered_sequence_) return;
    registered_ = false;
    registration_.next = clock_.now();
}

Status DirectoryClient::take_list(StateHeader header, Bytes state) {
    auto parsed = parse_state(state);
    if (!parsed) return std::unexpected(parsed.error());
    if (parsed->app_hash != header.app_hash)
        return fail(ErrorCode::authentication, "a list that is not the one its header signs");
    if (auto checked = check_descriptors(*parsed); !checked) return checked;
    state_ = std::move(state);
    list_ = DirectoryList{std::move(header), std::move(parsed->entries), std::move(parsed->reputations)};
    notice_lost_registration();
    on_list_(*list_);
    return {};
}

Status DirectoryClient::adopt(ByteView kept) {
    proto::Answer::Part part;
    if (!part.ParseFromArray(kept.data(), static_cast<int>(kept.size())))
        return fail(ErrorCode::malformed, "the kept list does not parse");
    auto header = from_proto(part.header());
    if (!header) return std::unexpected(header.error());
    if (auto verified = verifier_.adopt(*header); !verified) return verified;
    return take_list(std::move(*header), to_bytes(part.bytes()));
}

Bytes DirectoryClient::keep() const {
    if (!list_) return {};
    proto::Answer::Part part;
    to_proto(list_->header, *part.mutable_header());
    part.set_total(state_.size());
    part.set_bytes(to_string(state_));
    return to_bytes(part.SerializeAsString());
}

}  // namespace planetserve::committee
