#include "committee/directory_client.h"

#include <algorithm>

#include "base/requires.h"
#include "committee/directory_calls.h"

namespace planetserve::committee {

DirectoryClient::DirectoryClient(const Genesis& genesis, const crypto::Identity& identity,
                                 DirectoryClientOptions options, wire::FrameSender& sender, Random& random, Now now,
                                 OnList on_list, ReadLoad read_load)
    : genesis_(genesis),
      network_(genesis.network()),
      identity_(identity),
      options_(options),
      sender_(sender),
      random_(random),
      on_list_(std::move(on_list)),
      read_load_(std::move(read_load)),
      held_(genesis, options.maximum_age),
      began_(now.time) {
    REQUIRES(!genesis_.validators.empty());
    fetch_.task.next = now.time;
    registration_.task.next = Time::max();
    validator_ = random_.below(genesis_.validators.size());
}

void DirectoryClient::set_descriptor(NodeDescriptor descriptor, Now now) {
    registration_.descriptor = std::move(descriptor);
    registration_.registered = false;
    if (!registration_.task.call) registration_.task.next = now.time;
}

std::optional<Endpoint> DirectoryClient::validator_address(const NodeId& id) const {
    const GenesisValidator* validator = genesis_.find(id);
    return validator == nullptr ? std::nullopt : std::optional(validator->address);
}

void DirectoryClient::on_timer(Now now) {
    for (Task* task : {&fetch_.task, &registration_.task}) {
        if (task->next > now.time) continue;
        if (task->call) {
            fail_task(*task, "does not answer", now);
            continue;
        }
        if (task == &fetch_.task)
            fetch(now);
        else
            submit(now);
    }
}

void DirectoryClient::call(Task& task, ByteView body, Now now) {
    task.validator = genesis_.validators[validator_ % genesis_.validators.size()].id;
    task.call = next_call_++;
    task.next = now.time + options_.call_deadline;
    std::array<std::uint8_t, call_id_size> id{};
    store_big_endian(MutableByteView(id), *task.call);
    auto sent = sender_.send(task.validator, wire::FrameType::call_request, {id, body});
    if (!sent) fail_task(task, sent.error().message, now);
}

void DirectoryClient::fail_task(Task& task, const std::string& why, Now now) {
    task.problem = "verification node " + task.validator.brief() + ": " + why;
    last_failure_ = task.problem;
    ++failures_;
    task.call.reset();
    ++validator_;  // another one may answer
    const Duration most = now.time - began_ < options_.start ? options_.retry_most_at_start : options_.retry_most;
    task.retry = task.retry == Duration{} ? options_.retry_first : std::min(task.retry * 2, most);
    // Spread, so that not all clients call a verification node at once when it comes back.
    auto half = static_cast<std::uint64_t>(task.retry.count() / 2);
    task.next = now.time + task.retry / 2 + Duration(static_cast<Duration::rep>(random_.below(half + 1)));
    if (&task == &fetch_.task) fetch_.header.reset();
}

void DirectoryClient::succeed(Task& task, Duration next, Now now) {
    task.call.reset();
    task.retry = {};
    task.problem.clear();
    task.next = now.time + next;
}

void DirectoryClient::fetch(Now now) {
    proto::Call message;
    if (fetch_.header) {
        message.mutable_fetch()->set_offset(fetch_.parts.size());
        message.mutable_fetch()->set_app_hash(to_string(fetch_.header->app_hash));
    } else {
        fetch_.began = now.time;
        message.mutable_fetch()->set_offset(0);
        if (list()) message.mutable_fetch()->set_known_app_hash(to_string(list()->header.app_hash));
    }
    call(fetch_.task, as_bytes(message.SerializeAsString()), now);
}

// The clock gives sequences that are new after a restart too.
std::uint64_t DirectoryClient::next_sequence(Now now) {
    auto& last = registration_.last_sequence;
    return last = std::max(last + 1, static_cast<std::uint64_t>(now.unix.milliseconds));
}

void DirectoryClient::submit(Now now) {
    if (!registration_.descriptor) {
        registration_.task.next = Time::max();
        return;
    }
    const std::uint64_t sequence = next_sequence(now);
    Transaction transaction{network_, identity_.id(), sequence, Deregister{}};
    if (registration_.registered)
        transaction.body = Renew{read_load_()};
    else
        transaction = make_register(*registration_.descriptor, network_, sequence, identity_);
    proto::Call message;
    message.set_submit(to_string(sign(transaction, identity_)));
    call(registration_.task, as_bytes(message.SerializeAsString()), now);
}

void DirectoryClient::leave(Now now) {
    registration_.descriptor.reset();
    if (!std::exchange(registration_.registered, false)) return;
    proto::Call message;
    message.set_submit(
        to_string(sign(Transaction{network_, identity_.id(), next_sequence(now), Deregister{}}, identity_)));
    call(registration_.task, as_bytes(message.SerializeAsString()), now);
}

void DirectoryClient::on_response(const NodeId& from, ByteView payload, Now now) {
    if (payload.size() < call_id_size) return;
    const auto id = load_big_endian<std::uint64_t>(payload);
    const ByteView body = payload.subspan(call_id_size);
    auto answers = [&](const Task& task) { return task.call == id && task.validator == from; };
    if (answers(fetch_.task)) return on_fetch_answer(body, now);
    if (answers(registration_.task)) on_submit_answer(body, now);
}

void DirectoryClient::on_link_down(const NodeId& peer, Now now) {
    for (Task* task : {&fetch_.task, &registration_.task})
        if (task->call && task->validator == peer) fail_task(*task, "cannot be reached", now);
}

void DirectoryClient::on_submit_answer(ByteView body, Now now) {
    Task& task = registration_.task;
    proto::Answer answer;
    if (!answer.ParseFromArray(body.data(), static_cast<int>(body.size())))
        return fail_task(task, "an answer that does not parse", now);
    if (answer.body_case() == proto::Answer::kSubmitted) {
        if (registration_.descriptor && !registration_.registered)
            registration_.accepted_sequence = registration_.last_sequence;
        registration_.registered = registration_.descriptor.has_value();
        return succeed(task, std::chrono::milliseconds(genesis_.parameters.renew_ms), now);
    }
    if (answer.body_case() != proto::Answer::kRefusal) return fail_task(task, "an answer to another question", now);
    if (answer.refusal().code() == static_cast<std::uint32_t>(ErrorCode::not_found)) {
        registration_.registered = false;  // the lease expired, or the registry was lost
        return succeed(task, Duration{}, now);
    }
    fail_task(task, "registration refused: " + text_of(answer.refusal()), now);
}

void DirectoryClient::on_fetch_answer(ByteView body, Now now) {
    Task& task = fetch_.task;
    proto::Answer answer;
    if (!answer.ParseFromArray(body.data(), static_cast<int>(body.size())))
        return fail_task(task, "a list that does not parse", now);
    if (answer.body_case() == proto::Answer::kRefusal)
        return fail_task(task, "list refused: " + text_of(answer.refusal()), now);
    if (answer.body_case() != proto::Answer::kCurrent && answer.body_case() != proto::Answer::kPart)
        return fail_task(task, "an answer to another question", now);
    bool current = answer.body_case() == proto::Answer::kCurrent;
    auto header = from_proto(current ? answer.current() : answer.part().header());
    if (!header) return fail_task(task, header.error().message, now);
    if (current) return take_current(std::move(*header), now);
    take_part(std::move(*header), answer.part().total(), answer.part().offset(), as_bytes(answer.part().bytes()), now);
}

void DirectoryClient::take_current(StateHeader header, Now now) {
    Status checked = held_.check_header(header, now.unix);
    if (checked && (fetch_.header || !list())) checked = fail(ErrorCode::malformed, "a header of another list");
    if (checked) checked = held_.confirm(std::move(header));
    if (!checked) return fail_task(fetch_.task, checked.error().message, now);
    succeed(fetch_.task, refresh(), now);
}

void DirectoryClient::take_part(StateHeader header, std::uint64_t total, std::uint64_t offset, ByteView bytes,
                                Now now) {
    Task& task = fetch_.task;
    // The registry checks its limit when an entry is added; renewals may let the entries grow past it.
    const std::uint64_t allowed = std::min(genesis_.parameters.maximum_list_bytes, options_.most_list_bytes);
    const std::uint64_t most = allowed + allowed / 4;
    if (total > most)
        return fail_task(
            task, "a list of " + std::to_string(total) + " bytes; at most " + std::to_string(most) + " are taken", now);
    if (!fetch_.header) {
        // Checked before the parts arrive, so that only validators can make this node gather a list in memory.
        if (auto checked = held_.check_header(header, now.unix); !checked)
            return fail_task(task, checked.error().message, now);
        fetch_.header = std::move(header);
        fetch_.parts.clear();
    } else if (header.app_hash != fetch_.header->app_hash) {
        return fail_task(task, "a part of another list", now);
    }
    const std::size_t before = fetch_.parts.size();
    bool last = before + bytes.size() == total;
    if (offset != before || bytes.size() > total - before || (bytes.empty() && !last))
        return fail_task(task, "a list that does not add up", now);
    append(fetch_.parts, bytes);
    if (!last) {
        if (now.time - fetch_.began > options_.fetch_deadline) return fail_task(task, "sends its list too slowly", now);
        task.call.reset();
        task.next = now.time;
        return;
    }
    Status taken = held_.take(*std::exchange(fetch_.header, std::nullopt), std::exchange(fetch_.parts, {}));
    if (!taken) return fail_task(task, taken.error().message, now);
    announce_list(now);
    succeed(task, refresh(), now);
}

Duration DirectoryClient::refresh() const {
    auto at_rate = std::chrono::seconds(held_.size() / std::max<std::size_t>(options_.list_bytes_per_second, 1));
    return std::max<Duration>(options_.refresh, at_rate);
}

Status DirectoryClient::adopt(ByteView kept, Now now) {
    auto adopted = held_.adopt(kept);
    if (adopted) announce_list(now);
    return adopted;
}

void DirectoryClient::announce_list(Now now) {
    notice_lost_registration(now);
    on_list_(*list());
}

// A registration that was accepted may be lost with the verification node that accepted it, before a block holds it.
// The directory refuses renewals of a node that is not listed. A node that is listed with an older registration has to
// notice by itself.
void DirectoryClient::notice_lost_registration(Now now) {
    if (!registration_.registered || registration_.task.call) return;
    auto settled = UnixTime{static_cast<std::int64_t>(registration_.accepted_sequence)} +
                   std::chrono::milliseconds(genesis_.parameters.renew_ms);
    if (list()->header.time < settled) return;
    auto own = list()->entries.find(identity_.id());
    if (own == list()->entries.end() || !own->second.descriptor) return;
    if (own->second.descriptor->sequence >= registration_.accepted_sequence) return;
    registration_.registered = false;
    registration_.task.next = now.time;
}

}  // namespace planetserve::committee
