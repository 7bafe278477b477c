// Sequences of records between the two ends of an exchange: each record is dispersed over the lanes, clove i on lane i,
// and put back together in order from any k of its cloves (docs/protocols/requests.md). A lost lane that is replaced
// gets the cloves of all records that are not yet acknowledged once more, so no record is lost however many lanes break
// one after the other.
#pragma once

#include <deque>
#include <map>
#include <optional>

#include "crypto/secret.h"
#include "dispersal/combine.h"
#include "dispersal/split.h"
#include "exchange/envelope.h"

namespace planetserve::exchange {

// Plaintext bytes of one record: its cloves fill whole cells at n = 4, k = 3.
inline constexpr std::size_t maximum_record = 16 * 1024;
// Records of a reply sent and not acknowledged, at most. Those of a request are not acknowledged one by one: they are
// all kept until the model node accepts it, and are bounded by the most that a body may have.
inline constexpr std::uint64_t record_window = 1024;
// Bytes of a reply's records sent and not acknowledged, at most, with what it costs to keep them: the window of the
// body, and a quarter more for padding.
inline constexpr std::size_t unacknowledged_window = (1 << 20) + (1 << 18);

// What a record is padded to with zeros, since cloves state its exact size: 512 bytes, 1 KiB, then whole KiB. The text
// of one token with its JSON has some 200 to 350 bytes, so that its length does not show; at k = 3 and at k = 1 a
// record of up to 1 KiB takes one cell on each lane, padded or not.
constexpr std::size_t padded_size(std::size_t size) {
    std::size_t step = size <= 1024 ? 512 : 1024;
    return size == 0 ? step : (size + step - 1) / step * step;
}

class RecordSender {
public:
    RecordSender(RecordKind kind, const crypto::SymmetricKey& binding, dispersal::Threshold threshold)
        : kind_(kind), binding_(binding), threshold_(threshold) {}

    // The cloves of the next record, padded, one for each lane. The record is kept until it is acknowledged, and what
    // its shares follow from: so the same cloves can be made again. REQUIRES: record.size() <= maximum_record.
    std::vector<Bytes> add(ByteView record, Random& random);
    // A clove of a record that is not acknowledged. REQUIRES: first() <= number < next().
    Bytes clove(std::uint64_t number, std::size_t lane) const;
    // All records below this number were received.
    void acknowledge(std::uint64_t records);
    // Calls send(clove) for clove `lane` of every record that is not acknowledged.
    template <typename Send>
    void resend(std::size_t lane, Send&& send) const {
        for (std::uint64_t number = first_; number < next(); ++number) send(clove(number, lane));
    }

    // The first that is not acknowledged.
    std::uint64_t first() const { return first_; }
    std::uint64_t next() const { return first_ + kept_.size(); }
    std::size_t unacknowledged() const { return kept_.size(); }
    // Of records that are not acknowledged, with what it costs to keep them.
    std::size_t kept_bytes() const { return kept_bytes_; }
    // As many records or bytes are kept as a reply may have.
    bool full() const { return kept_.size() >= record_window || kept_bytes_ >= unacknowledged_window; }

private:
    struct Kept {
        Bytes padded;
        crypto::SymmetricKey seed;  // of the shares
    };

    std::vector<Bytes> cloves_of(const Kept& kept, std::uint64_t number) const;

    RecordKind kind_;
    crypto::SymmetricKey binding_;
    dispersal::Threshold threshold_;
    std::uint64_t first_ = 0;
    std::deque<Kept> kept_;
    std::size_t kept_bytes_ = 0;
};

// How records are given out: in order, or each as it is complete, where each makes those before it superfluous (a lost
// one then holds nothing up).
enum class Order { in_order, as_complete };

// Where a clove came from: a proxy to the model node, a lane's path to the user.
using Source = FixedBytes<struct SourceTag, 32>;

struct ReceiverLimits {
    std::uint64_t window = record_window;  // records ahead of the first that is missing
    std::size_t maximum_size = maximum_record;
    // Bytes of cloves and of records that wait for those before them, with what it costs to keep them.
    std::size_t maximum_held = 8 << 20;
    std::size_t maximum_held_of_source = 2 << 20;
    // Sets of k cloves tried for each claim about a record. One source that forges k of n = 8, k = 4 costs 70.
    std::uint32_t tries = 128;
};

// Until the threshold is known, only the first record is tried, and a source may bring k cloves of it; what comes of
// others waits. So strangers cannot choose how much work they make.
//
// Cloves of one record are kept with their sources, so that wrong ones can be traced. One source's cloves of a
// record must all make the same claim about its size and threshold, and there are places for twice n cloves of each
// claim: so one source that forges as many as n cannot shut out true ones. What a source may hold is bounded on its
// own.
class RecordReceiver {
public:
    RecordReceiver(RecordKind kind, const crypto::SymmetricKey& binding, Order order = Order::in_order,
                   ReceiverLimits limits = {})
        : kind_(kind), binding_(binding), order_(order), limits_(limits) {}

    struct Progress {
        std::vector<Bytes> records;   // complete, and next in order if that was asked for
        std::vector<Source> corrupt;  // whose cloves were proven wrong
        bool opened = false;          // this clove completed a record
    };

    // Takes a clove from a source that may bring `most` of one record, but no more than n; before the threshold is
    // known, no more than k. Refuses what is not a clove
    // of this sequence within the window (malformed, invalid_argument), and what is more than may be held or than the
    // source may bring (exhausted). Cloves of records already complete are ignored.
    Result<Progress> add(const Source& source, ByteView clove, std::size_t most = 1);
    // Demands the threshold that the exchange was made with; without it the first complete record sets it.
    void expect(dispersal::Threshold threshold) { threshold_ = threshold; }
    // Takes the cloves that waited for the threshold. To be called after expect() where some may have come before.
    Progress catch_up();

    // No more records are wanted: frees what is held.
    void drop_held();

    // All records below this were given out.
    std::uint64_t next() const { return next_; }
    std::size_t held_bytes() const { return held_bytes_; }

private:
    // What cloves claim about a record: its n, k and size.
    struct Claim {
        dispersal::Collector collector;
        std::vector<Source> sources;  // of the cloves held, in the order in which they were taken
        std::size_t clove_cost = 0;
    };
    struct Assembly {
        std::map<dispersal::DispersedMessage, Claim> claims;
        bool complete = false;
        Bytes record;  // until it is given out
    };

    // A clove that came before the threshold was known.
    struct Waiting {
        Source source;
        Bytes clove;
        std::size_t most = 1;
    };

    Status add_to(Progress& progress, const Source& source, ByteView clove, std::size_t most);
    void note_held(const Source& source, std::size_t cost);
    void note_released(const Source& source, std::size_t cost);
    Status check_room(const Source& source, std::size_t cost) const;
    Result<Claim*> claim_for(Assembly& assembly, const Source& source, const dispersal::CloveView& clove,
                             std::size_t most);
    void release(const Claim& claim);
    void release(const Assembly& assembly);
    void complete(Assembly& assembly, Claim& claim, Progress& progress);
    void give_out(std::uint64_t number, Progress& progress);

    RecordKind kind_;
    crypto::SymmetricKey binding_;
    Order order_;
    ReceiverLimits limits_;
    std::optional<dispersal::Threshold> threshold_;
    std::uint64_t next_ = 0;
    std::map<std::uint64_t, Assembly> assemblies_;
    std::vector<Waiting> waiting_;
    std::map<Source, std::size_t> held_of_;
    std::size_t held_bytes_ = 0;
};

}  // namespace planetserve::exchange
