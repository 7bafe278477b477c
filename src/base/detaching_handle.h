// A handle whose owner is told nothing more once the handle is gone.
//
// The call behind it may outlive the handle: operations that are under way hold it. Call has detach(), after which it
// tells its owner nothing and ends as soon as it can.
#pragma once

#include <memory>
#include <utility>

namespace planetserve {

// Interface is what the owner holds; it has a virtual destructor and nothing left to implement.
template <typename Interface, typename Call>
class DetachingHandle : public Interface {
public:
    explicit DetachingHandle(std::shared_ptr<Call> call) : call_(std::move(call)) {}
    ~DetachingHandle() override { call_->detach(); }
    DetachingHandle(const DetachingHandle&) = delete;
    DetachingHandle& operator=(const DetachingHandle&) = delete;

protected:
    Call& call() const { return *call_; }

private:
    std::shared_ptr<Call> call_;
};

}  // namespace planetserve
