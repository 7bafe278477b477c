// The receiver's half of S-IDA: recovers the message from any k right cloves, and names the wrong ones.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "dispersal/clove.h"

namespace planetserve::dispersal {

// Sets of k cloves that are tried for one message, each at the cost of one decryption. While C(k + e, k) is no larger,
// e wrong cloves in any order cannot keep k right ones from giving the message: e = 16 at k = 3, e = 3 at k = 16.
inline constexpr std::uint32_t maximum_trials = 1024;

struct Recovered {
    Bytes message;
    std::vector<std::uint8_t> corrupt;  // as Collector::corrupt
};

// All at once. Error: as of Collector::add, with the clove's place in the list; invalid_argument for fewer than k
// cloves; authentication if no k of them agree.
Result<Recovered> combine(std::span<const ByteView> cloves, ByteView binding, std::size_t maximum_message);

enum class Progress : std::uint8_t { needs_more, complete };

// Collects the cloves of one message as they arrive, in any order. Holds at most n cloves, or times_n times n, all of
// the size that the first one states. Movable; not thread-safe. It knows no time: the owner drops an incomplete
// collector.
//
// It keeps two different cloves with one index, since either may be the true one. The owner bounds what a hostile path
// can do: it takes one clove from each source (path or proxy), so that the n true ones always find a place. An owner
// that cannot tell how many cloves a source may bring makes room for more than n.
class Collector {
public:
    // binding: the one given to split. maximum_message bounds what a clove may make the collector hold: n fragments of
    // up to maximum_message / k bytes, times_n times that where it is given (32 cloves at the most). tries: the sets of
    // k cloves that are tried.
    Collector(ByteView binding, std::size_t maximum_message, std::size_t times_n = 1,
              std::uint32_t tries = maximum_trials);
    ~Collector();
    Collector(Collector&&) = default;
    Collector& operator=(Collector&&) = default;

    // Takes one clove and, once k are there, tries every set of k that contains it. Errors; all but the last leave the
    // collector unchanged:
    // - malformed, invalid_argument: what parse_clove refuses;
    // - invalid_argument: a clove of another message than the first, or one that states another threshold or size;
    // - already_exists: the same clove again;
    // - exhausted: no room for more cloves, or the message failed before;
    // - authentication, before completion: there is no room for more cloves, or all tries are spent, and no k
    // agree
    //   (or the binding is another); failed() is true from now on. After completion: this clove is wrong, and corrupt()
    //   has its index.
    Result<Progress> add(ByteView encoded);
    // The same without copying the clove.
    Result<Progress> add(Bytes&& encoded);

    bool complete() const { return complete_; }
    bool failed() const { return failed_; }
    // Call once. Requires: complete().
    Bytes take_message() { return std::move(message_); }
    // The indices that wrong cloves stated, ascending; empty before completion. If two cloves stated one index, the
    // other may be right: ask verify.
    const std::vector<std::uint8_t>& corrupt() const { return corrupt_; }
    // The wrong cloves among those held at completion, by their place in the order of arrival.
    const std::vector<std::size_t>& wrong_places() const { return wrong_places_; }
    // Whether split made this clove of this message. False before completion.
    bool verify(ByteView encoded) const;

    // Empty before the first clove.
    std::optional<DispersedMessage> message() const;
    std::size_t held() const { return held_.size(); }
    std::size_t held_bytes() const;
    std::uint32_t trials() const { return trials_; }

private:
    friend Result<Recovered> combine(std::span<const ByteView> cloves, ByteView binding, std::size_t maximum_message);

    // Before completion: parses a clove and checks that it may be held.
    Result<CloveView> admit(ByteView encoded) const;
    // Holds a clove, whose bytes do not move, and searches.
    Result<Progress> hold(const CloveView& clove);
    // After completion.
    Result<Progress> judge(ByteView encoded);
    Status check_message(const CloveView& clove) const;
    void search();
    bool attempt(std::span<const CloveView* const> chosen);
    std::size_t places(std::uint8_t n) const;

    Bytes binding_;
    std::size_t maximum_message_;
    std::size_t times_n_;
    std::uint32_t tries_;
    std::vector<Bytes> encoded_;   // what held_ views, unless the cloves are borrowed
    std::vector<CloveView> held_;  // in order of arrival; never reallocated
    std::vector<const CloveView*> right_;
    std::vector<std::uint8_t> corrupt_;
    std::vector<std::size_t> wrong_places_;
    Bytes message_;
    std::uint32_t trials_ = 0;
    bool complete_ = false;
    bool failed_ = false;
};

}  // namespace planetserve::dispersal
