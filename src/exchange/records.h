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
// Records sent and not acknowledged, at most; a receiver keeps no more than this many in assembly.
inline constexpr std::uint64_t record_window = 1024;

class RecordSender {
public:
    RecordSender(RecordKind kind, const crypto::SymmetricKey& binding, dispersal::Threshold threshold)
        : kind_(kind), binding_(binding), threshold_(threshold) {}

    // The cloves of the next record, one for each lane, kept until acknowledged. REQUIRES: record.size() <=
    // maximum_record.
    const std::vector<Bytes>& add(ByteView record, Random& random);
    // All records below this number were received.
    void acknowledge(std::uint64_t records);
    // Calls send(clove) for clove `lane` of every record that is not acknowledged.
    template <typename Send>
    void resend(std::size_t lane, Send&& send) const {
        for (const auto& cloves : kept_) send(cloves[lane]);
    }

    std::uint64_t next() const { return first_ + kept_.size(); }
    std::size_t unacknowledged() const { return kept_.size(); }
    bool full() const { return kept_.size() >= record_window; }

private:
    RecordKind kind_;
    crypto::SymmetricKey binding_;
    dispersal::Threshold threshold_;
    std::uint64_t first_ = 0;
    std::deque<std::vector<Bytes>> kept_;
};

// How records are given out: in order, or each as it is complete, where each makes those before it superfluous (a lost
// one then holds nothing up).
enum class Order { in_order, as_complete };

class RecordReceiver {
public:
    RecordReceiver(RecordKind kind, const crypto::SymmetricKey& binding, Order order = Order::in_order)
        : kind_(kind), binding_(binding), order_(order) {}

    struct Progress {
        std::vector<Bytes> records;         // complete, and next in order if that was asked for
        std::vector<std::uint8_t> corrupt;  // lanes whose cloves were proven wrong
    };

    // Refuses what is not a clove of this sequence within the window. Cloves of records already complete are ignored.
    Result<Progress> add(ByteView clove);
    // Demands the threshold that the exchange was made with; without it the first complete record sets it.
    void expect(dispersal::Threshold threshold) { threshold_ = threshold; }

    // All records below this were given out.
    std::uint64_t next() const { return next_; }
    std::size_t held_bytes() const { return held_bytes_; }

private:
    struct Assembly {
        std::map<dispersal::DispersedMessage, dispersal::Collector> variants;
        bool complete = false;
        Bytes record;  // until it is given out
    };

    void give_out(std::uint64_t number, Progress& progress);

    RecordKind kind_;
    crypto::SymmetricKey binding_;
    Order order_;
    std::optional<dispersal::Threshold> threshold_;
    std::uint64_t next_ = 0;
    std::map<std::uint64_t, Assembly> assemblies_;
    std::size_t held_bytes_ = 0;
};

}  // namespace planetserve::exchange
