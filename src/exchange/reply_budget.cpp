#include "exchange/reply_budget.h"

namespace planetserve::exchange {

bool ReplyBudget::allows(const Session& session) const {
    if (!session.reply || session.reply->kept_bytes() < limits_.assured_unacknowledged) return true;
    auto opener = of_opener_.find(session.opener);
    return bytes_ < limits_.maximum_unacknowledged &&
           (opener == of_opener_.end() || opener->second < limits_.maximum_unacknowledged_of_opener);
}

void ReplyBudget::count(Session& session) {
    release(session);
    session.counted_reply = session.reply ? session.reply->kept_bytes() : 0;
    if (session.counted_reply == 0) return;
    bytes_ += session.counted_reply;
    of_opener_[session.opener] += session.counted_reply;
}

void ReplyBudget::forget(const Session& session) { release(session); }

void ReplyBudget::release(const Session& session) {
    if (session.counted_reply == 0) return;
    bytes_ -= session.counted_reply;
    auto opener = of_opener_.find(session.opener);
    opener->second -= session.counted_reply;
    if (opener->second == 0) of_opener_.erase(opener);
}

}  // namespace planetserve::exchange
