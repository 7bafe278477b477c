// The receiver's half of S-IDA: any k right cloves give the message back, and the wrong ones are named.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "dispersal/clove.h"

namespace planetserve::dispersal {

// Sets of k cloves that are tried for one message, each at the cost of one decryption. While C(k + e, k) is no larger,
// e wrong cloves cannot keep a message from being recovered once k right ones are there, whatever the order of arrival:
// e = 16 at k = 3, e = 3 at k = 16.
inline constexpr std::uint32_t maximum_trials = 1024;

struct Recovered {
    Bytes message;
    std::vector<std::uint8_t> corrupt;  // as Collector::corrupt
};

// All at once. Fails as Collector::add does, naming the clove by its place in the list; with invalid_argument for fewer
// than k cloves; and with authentication if no k of them agree.
Result<Recovered> combine(std::span<const ByteView> cloves, ByteView binding, std::size_t maximum_message);

enum class Progress : std::uint8_t { needs_more, complete };

// Collects the cloves of one message as they arrive, in any order. Holds at most n cloves, or as many times n as the
// owner says, all of the size that the first one states. Movable; not thread-safe. It knows no time: the owner drops
// one that stays incomplete.
//
// Two different cloves with one index are both kept, since either may be the true one. What a hostile path can do is
// bounded by the owner taking one clove from each source (path, or proxy): the n true ones then always find a place.
// Where it cannot tell how many a source may rightly bring, places for more than n keep the true ones from being shut
// out.
class Collector {
public:
    // The binding that split was given. maximum_message bounds what a clove may make the collector hold: n fragments of
    // up to maximum_message / k bytes, times_n times that where it is given (32 cloves at the most).
    Collector(ByteView binding, std::size_t maximum_message, std::size_t times_n = 1);
    ~Collector();
    Collector(Collector&&) = default;
    Collector& operator=(Collector&&) = default;

    // Takes one clove and, once k are there, tries every set of k that contains it. The errors, of which all but the
    // last leave the collector as it was:
    // - malformed, invalid_argument: what parse_clove refuses;
    // - invalid_argument: a clove of another message than the first, or one that states another threshold or size;
    // - already_exists: the same clove once more;
    // - exhausted: as many cloves are held as may be, or the message was given up;
    // - authentication, before completion: that many cloves are there, or maximum_trials are spent, and no k of them
    // agree (or
    //   the binding is another), and failed() from now on; after completion: this clove is wrong, and its index is
    //   added to corrupt().
    Result<Progress> add(ByteView encoded);
    // The same without copying the clove.
    Result<Progress> add(Bytes&& encoded);

    bool complete() const { return complete_; }
    bool failed() const { return failed_; }
    // REQUIRES: complete(). Once.
    Bytes take_message() { return std::move(message_); }
    // The indices that proven wrong cloves stated, ascending; empty before completion. (Where two cloves stated one
    // index, the other may have been right; verify tells.)
    const std::vector<std::uint8_t>& corrupt() const { return corrupt_; }
    // The wrong ones among the cloves held at completion, by their place in the order in which they were taken.
    const std::vector<std::size_t>& wrong_places() const { return wrong_places_; }
    // Whether a clove is one that split made of this message. REQUIRES: complete(); false before.
    bool verify(ByteView encoded) const;

    // What all the cloves have in common; empty before the first.
    std::optional<DispersedMessage> message() const;
    std::size_t held() const { return held_.size(); }
    std::size_t held_bytes() const;
    std::uint32_t trials() const { return trials_; }

private:
    friend Result<Recovered> combine(std::span<const ByteView> cloves, ByteView binding, std::size_t maximum_message);

    // Before completion: the clove, if it may be held.
    Result<CloveView> admit(ByteView encoded) const;
    // Holds it, whose bytes stay where they are, and searches.
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
