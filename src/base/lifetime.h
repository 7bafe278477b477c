// "Is my owner still there?" for callbacks that may run after their owner is gone.
//
//     connection.async_read([this, owner = lifetime_.watch()] {
//         if (owner.gone()) return;
//         ...
//     });
//
// Make the Lifetime the last member: it then ends before the members that the callback would use. Not thread-safe: the
// owner and its callbacks run on one thread.
#pragma once

#include <memory>

namespace planetserve {

class Lifetime {
public:
    class Watch {
    public:
        bool gone() const { return token_.expired(); }

    private:
        friend class Lifetime;
        explicit Watch(std::weak_ptr<const char> token) : token_(std::move(token)) {}

        std::weak_ptr<const char> token_;
    };

    Lifetime() = default;
    Lifetime(const Lifetime&) = delete;
    Lifetime& operator=(const Lifetime&) = delete;

    Watch watch() const { return Watch(token_); }

private:
    std::shared_ptr<const char> token_ = std::make_shared<const char>();
};

}  // namespace planetserve
