#include "committee/directory_client.h"

#include <algorithm>

#include "committee/committee.pb.h"

namespace planetserve::committee {

DirectoryClient::DirectoryClient(const Genesis& genesis, const crypto::Identity& identity,
                                 DirectoryClientOptions options, wire::FrameSender& sender, Random& random,
                                 const Clock& clock, OnList on_list, ReadLoad read_load)
    : genesis_(genesis),
      network_(genesis.network()),
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
            fail_task(*task, "verification node " + task->validator.brief() + " does not answer");
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
    if (!sent) fail_task(task, "verification node " + task.validator.brief() + ": " + sent.error().message);
}

void DirectoryClient::fail_task(Task& task, const std::string& why) {
    problem_ = why;
    task.call.reset();
    ++validator_;  // another one may answer
    task.retry = task.retry == Duration{} ? options_.retry_first : std::min(task.retry * 2, options_.retry_most);
    // Spread, so that a verification node that comes back is not met by all at once.
    auto half = static_cast<std::uint64_t>(task.retry.count() / 2);
    task.next = clock_.now() + task.retry / 2 + Duration(static_cast<Duration::rep>(random_.below(half + 1)));
    fetching_.reset();
}

void DirectoryClient::succeed(Task& task, Duration next) {
    task.call.reset();
    task.retry = {};
    task.next = clock_.now() + next;
}

void DirectoryClient::fetch() {
    proto::Call message;
    if (fetching_) {
        message.mutable_fetch()->set_offset(parts_.size());
    } else {
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
        transaction.body = Register{*descriptor_};
    proto::Call message;
    message.set_submit(to_string(sign(transaction, identity_)));
    call(registration_, as_bytes(message.SerializeAsString()));
}

void DirectoryClient::leave() {
    if (!registered_ || genesis_.validators.empty()) return;
    last_sequence_ = std::max(last_sequence_ + 1, static_cast<std::uint64_t>(clock_.unix_now().milliseconds));
    proto::Call message;
    message.set_submit(to_string(sign(Transaction{network_, identity_.id(), last_sequence_, Deregister{}}, identity_)));
    descriptor_.reset();
    call(registration_, as_bytes(message.SerializeAsString()));
}

void DirectoryClient::on_response(const NodeId& from, ByteView payload) {
    if (payload.size() < 8) return;
    std::uint64_t id = load_big_endian<std::uint64_t>(payload);
    for (Task* task : {&fetch_, &registration_}) {
        if (task->call != id || task->validator != from) continue;
        if (task == &fetch_)
            on_fetch_answer(from, payload.subspan(8));
        else
            on_submit_answer(payload.subspan(8));
        return;
    }
}

void DirectoryClient::on_link_down(const NodeId& peer) {
    for (Task* task : {&fetch_, &registration_})
        if (task->call && task->validator == peer)
            fail_task(*task, "verification node " + peer.brief() + " cannot be reached");
}

void DirectoryClient::on_submit_answer(ByteView body) {
    proto::Answer answer;
    if (!answer.ParseFromArray(body.data(), static_cast<int>(body.size())))
        return fail_task(registration_, "an answer that does not parse");
    if (answer.body_case() == proto::Answer::kSubmitted) {
        registered_ = descriptor_.has_value();
        problem_.clear();
        return succeed(registration_, std::chrono::milliseconds(genesis_.parameters.lease_ms) / 3);
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

void DirectoryClient::on_fetch_answer(const NodeId&, ByteView body) {
    proto::Answer answer;
    if (!answer.ParseFromArray(body.data(), static_cast<int>(body.size())))
        return fail_task(fetch_, "a list that does not parse");
    if (answer.body_case() == proto::Answer::kCurrent) {
        auto header = from_proto(answer.current());
        Status checked = header ? check_header(*header) : Status(std::unexpected(header.error()));
        if (checked && (!list_ || header->app_hash != list_->header.app_hash))
            checked = fail(ErrorCode::malformed, "a header of another list");
        if (!checked) return fail_task(fetch_, checked.error().message);
        list_->header = std::move(*header);
        problem_.clear();
        return succeed(fetch_, options_.refresh);
    }
    if (answer.body_case() != proto::Answer::kPart)
        return fail_task(fetch_, answer.has_refusal() ? "list refused: " + answer.refusal().message().substr(0, 500)
                                                      : "an answer to another question");
    const auto& part = answer.part();
    auto header = from_proto(part.header());
    if (!header) return fail_task(fetch_, header.error().message);
    bool begins = !fetching_ || fetching_->app_hash != header->app_hash;
    if (begins) parts_.clear();
    if (part.total() > options_.maximum_list || part.bytes().size() > part.total())
        return fail_task(fetch_, "a list of " + std::to_string(part.total()) + " bytes, which is more than is taken");
    if (part.offset() != parts_.size()) {  // the list changed while it was being fetched
        fetching_.reset();
        return succeed(fetch_, Duration{});
    }
    fetching_ = std::move(*header);
    append(parts_, as_bytes(part.bytes()));
    if (parts_.size() > part.total() || (part.bytes().empty() && parts_.size() < part.total()))
        return fail_task(fetch_, "a list that does not add up");
    if (parts_.size() < part.total()) return succeed(fetch_, Duration{});
    Status taken = check_header(*fetching_);
    if (taken) taken = take_list(*fetching_, parts_);
    fetching_.reset();
    if (!taken) return fail_task(fetch_, taken.error().message);
    problem_.clear();
    succeed(fetch_, options_.refresh);
}

Status DirectoryClient::check_header(const StateHeader& header) const {
    if (auto verified = verify_header(header, genesis_, network_); !verified) return verified;
    auto age = clock_.unix_now() - header.time;
    if (age > options_.maximum_age)
        return fail(ErrorCode::timed_out, "the list is " + std::to_string(age.count() / 1000) +
                                              " s old; the verification node or this clock is wrong");
    if (list_ && header.height < list_->header.height)
        return fail(ErrorCode::authentication, "a list of height " + std::to_string(header.height) + " after one of " +
                                                   std::to_string(list_->header.height));
    if (list_ && header.height == list_->header.height && header.app_hash != list_->header.app_hash)
        return fail(ErrorCode::authentication, "two different lists are signed for height " +
                                                   std::to_string(header.height) + "; a validator is dishonest");
    return {};
}

Status DirectoryClient::take_list(StateHeader header, ByteView state) {
    auto parsed = parse_state(state);
    if (!parsed) return std::unexpected(parsed.error());
    if (parsed->app_hash != header.app_hash)
        return fail(ErrorCode::authentication, "a list that is not the one its header signs");
    Bytes kept = to_bytes(state);
    state_ = std::move(kept);
    list_ = DirectoryList{std::move(header), std::move(parsed->entries)};
    on_list_(*list_);
    return {};
}

Status DirectoryClient::adopt(ByteView kept) {
    proto::Answer::Part part;
    if (!part.ParseFromArray(kept.data(), static_cast<int>(kept.size())))
        return fail(ErrorCode::malformed, "the kept list does not parse");
    auto header = from_proto(part.header());
    if (!header) return std::unexpected(header.error());
    if (auto verified = verify_header(*header, genesis_, network_); !verified) return verified;
    return take_list(std::move(*header), as_bytes(part.bytes()));
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
