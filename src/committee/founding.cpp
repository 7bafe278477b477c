#include "committee/founding.h"

#include <cstdlib>

#include "committee/directory_calls.h"

namespace planetserve::committee {

namespace {

constexpr std::int64_t year_3000_ms = 32'503'680'000'000;

}  // namespace

Bytes founding_call() {
    proto::Call call;
    call.set_genesis(true);
    Bytes payload(call_id_size);  // one call a link: its id does not matter
    append(payload, as_bytes(call.SerializeAsString()));
    return payload;
}

Result<Founding> read_founding(ByteView payload, const wire::NetworkId& network) {
    const auto malformed = [] { return fail(ErrorCode::malformed, "its answer does not parse"); };
    if (payload.size() < call_id_size) return malformed();
    const ByteView body = payload.subspan(call_id_size);
    proto::Answer answer;
    if (!answer.ParseFromArray(body.data(), static_cast<int>(body.size()))) return malformed();
    if (answer.body_case() == proto::Answer::kRefusal)
        return fail(ErrorCode::unavailable, "it refuses: " + text_of(answer.refusal()));
    if (answer.body_case() != proto::Answer::kFounding) return malformed();
    const std::int64_t time = answer.founding().time_ms();
    if (time < 0 || time > year_3000_ms) return malformed();
    auto genesis = Genesis::parse(answer.founding().genesis());
    if (!genesis || genesis->network() != network)
        return fail(ErrorCode::authentication, "it hands out another network's genesis than the invite is for");
    return Founding{std::move(*genesis), UnixTime{time}};
}

Status check_clock(const Founding& founding, UnixTime now) {
    const auto off = now - founding.time;
    const std::chrono::milliseconds bearable(founding.genesis.parameters.clock_tolerance_ms);
    if (off >= -bearable && off <= bearable) return {};
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(off).count();
    return fail(ErrorCode::unavailable, "this machine's clock is " + std::to_string(std::abs(seconds)) + " s " +
                                            (seconds < 0 ? "behind" : "ahead of") + " its clock");
}

}  // namespace planetserve::committee
