#include "node/watched_run.h"

namespace planetserve::node {

namespace {

// Over fewer tokens, a rate measures overheads rather than the engine.
constexpr std::uint64_t tokens_to_measure = 32;

}  // namespace

ModelGroups::WatchedRun::WatchedRun(ModelGroups& groups, Group& group, inference::Api api, Bytes prompt,
                                    inference::ReplySink& sink)
    : groups_(groups), group_(group), prompt_(std::move(prompt)), reader_(api), sink_(sink) {}

ModelGroups::WatchedRun::~WatchedRun() { finish(); }

void ModelGroups::WatchedRun::seek_tokens(const inference::Request& request) {
    if (group_.tokenizer == nullptr) return;
    tokens_ = std::make_shared<SoughtTokens>();
    group_.tokenizer->tokenize(request.path, request.body,
                               [&groups = groups_, &group = group_, sought = tokens_](auto tokens) {
                                   sought->tokens = std::move(tokens);
                                   sought->tell(groups, group);
                               });
}

Status ModelGroups::WatchedRun::start(inference::Request request) {
    seek_tokens(request);
    auto started = groups_.engines_.start(std::move(request), *this);
    if (!started) {
        finished_ = true;
        return std::unexpected(started.error());
    }
    inner_ = std::move(*started);
    ++group_.totals.run;
    begun_ = group_.member.on_started(prompt_);
    const std::uint64_t all = group_.member.tokens_of(prompt_.size());
    waiting_tokens_ = all - std::min(all, begun_.expected_tokens);
    group_.queued_tokens += waiting_tokens_;
    groups_.update_load(group_);
    return {};
}

void ModelGroups::WatchedRun::on_head(const inference::ReplyHead& head) {
    served_ = head.status == 200;
    reader_.on_head(head);
    sink_.on_head(head);
}

void ModelGroups::WatchedRun::on_body(ByteView bytes) {
    prefilled();
    reader_.feed(bytes);
    sink_.on_body(bytes);
}

void ModelGroups::WatchedRun::on_end() {
    reader_.end();
    finish();
    sink_.on_end();  // may destroy this
}

void ModelGroups::WatchedRun::on_error(const Error& error) {
    finish();
    sink_.on_error(error);  // may destroy this
}

void ModelGroups::WatchedRun::prefilled() {
    if (begun_.number != 0) group_.member.on_computed(std::exchange(begun_.number, 0));
    if (waiting_tokens_ == 0) return;
    group_.queued_tokens -= std::exchange(waiting_tokens_, 0);
    groups_.update_load(group_);
}

void ModelGroups::WatchedRun::finish() {
    if (std::exchange(finished_, true)) return;
    prefilled();
    const std::size_t prompt_size = prompt_.size();
    if (served_) {
        const inference::Answer& answer = reader_.answer();
        std::optional<routing::Member::Report> report;
        if (auto tokens = answer.prompt_tokens(), cached = answer.cached_tokens(); tokens && cached) {
            report = {*tokens, *cached, begun_.expected_tokens};
            group_.totals.prompt_tokens += *tokens;
            group_.totals.cached_tokens += *cached;
            group_.totals.expected_tokens += std::min(begun_.expected_tokens, *tokens);
        }
        if (answer.timings.prompt_per_second && answer.timings.prompt_n.value_or(0) >= tokens_to_measure)
            group_.note_prefill(*answer.timings.prompt_per_second);
        if (!answer.reasoned) inference::append_answer(prompt_, answer.text, answer.tool_calls);
        group_.member.on_finished(ByteView(prompt_).first(prompt_size), prompt_, report);
    }
    if (tokens_) {
        prompt_.resize(prompt_size);
        tokens_->prompt = std::move(prompt_);
        tokens_->over = true;
        tokens_->tell(groups_, group_);
    }
    groups_.update_load(group_);
}

}  // namespace planetserve::node
