#include "committee/directory_server.h"

#include "committee/committee.pb.h"

namespace planetserve::committee {

namespace {

constexpr std::size_t part_size = 512 * 1024;

void refuse(proto::Answer& answer, const Error& error) {
    answer.mutable_refusal()->set_code(static_cast<std::uint32_t>(error.code));
    answer.mutable_refusal()->set_message(error.message);
}

}  // namespace

std::optional<Bytes> DirectoryServer::on_call(ByteView payload, UnixTime now) {
    if (payload.size() < 8) return std::nullopt;
    ++calls_;
    ByteView body = payload.subspan(8);
    proto::Call call;
    proto::Answer answer;
    if (!call.ParseFromArray(body.data(), static_cast<int>(body.size()))) {
        refuse(answer, {ErrorCode::malformed, "a call that does not parse"});
    } else if (call.body_case() == proto::Call::kSubmit) {
        auto taken = engine_.submit(as_bytes(call.submit()), now);
        if (taken)
            answer.set_submitted(true);
        else
            refuse(answer, taken.error());
    } else if (call.body_case() == proto::Call::kFetch) {
        const StateHeader& header = engine_.header(now);
        const Bytes& state = engine_.state();
        std::uint64_t offset = call.fetch().offset();
        if (as_bytes(call.fetch().known_app_hash()).size() == header.app_hash.size() &&
            equal_in_constant_time(as_bytes(call.fetch().known_app_hash()), header.app_hash)) {
            to_proto(header, *answer.mutable_current());
        } else if (offset > state.size()) {
            refuse(answer, {ErrorCode::invalid_argument, "an offset beyond the list"});
        } else {
            auto* part = answer.mutable_part();
            to_proto(header, *part->mutable_header());
            part->set_total(state.size());
            part->set_offset(offset);
            part->set_bytes(to_string(ByteView(state).subspan(offset, std::min(part_size, state.size() - offset))));
        }
    } else {
        refuse(answer, {ErrorCode::malformed, "a call of a kind that this version does not know"});
    }
    if (answer.body_case() == proto::Answer::kRefusal) ++refused_;
    Bytes reply = to_bytes(payload.first(8));
    append(reply, as_bytes(answer.SerializeAsString()));
    return reply;
}

}  // namespace planetserve::committee
