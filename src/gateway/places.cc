#include "gateway/places.h"

#include <algorithm>

#include "base/seed_bug.h"

namespace tidings::gateway {

namespace {

// nullopt: there is none above.
std::optional<model::ConversationId> id_after(model::ConversationId id) {
  for (auto byte = id.bytes.rbegin(); byte != id.bytes.rend(); ++byte) {
    if (++*byte != 0) return id;
  }
  return std::nullopt;
}

std::vector<Places::Delivered> list(const std::unordered_map<model::ConversationId, model::Seq>& newest) {
  std::vector<Places::Delivered> out;
  for (const auto& [conversation, seq] : newest) out.push_back({conversation, seq});
  std::ranges::sort(out, {}, &Places::Delivered::conversation);
  return out;
}

void raise(std::unordered_map<model::ConversationId, model::Seq>& newest, const Places::Delivered& what) {
  auto& seq = newest[what.conversation];
  seq = std::max(seq, what.seq);
}

}  // namespace

bool Places::is_contiguous(const model::ConversationId& conversation) const {
  return !given_up_ && (!unsettled_ || !unsettled_->contains(conversation));
}

void Places::unsettle(const model::ConversationId& conversation) {
  if (given_up_) return;
  if (!unsettled_) unsettled_ = std::make_unique<std::unordered_set<model::ConversationId>>();
  unsettled_->insert(conversation);
  if (unsettled_->size() <= unsettled_max_) return;
  given_up_ = true;
  unsettled_.reset();
  places_.clear();
  early_.reset();
}

void Places::lacks_any() {
  complete_ = false;
  below_.reset();
}

void Places::add(uint64_t number, const model::ConversationId& conversation, model::Seq seq) {
  if (waiting() >= places_max_) return unsettle(conversation);
  places_.push_back({number, {conversation, seq}});
}

void Places::event(uint64_t number, const model::ConversationId& conversation, model::Seq seq) {
  if (is_contiguous(conversation) || TIDINGS_SEED_BUG(30)) add(number, conversation, seq);
}

void Places::end_of_pull(uint64_t number, const model::ConversationId& conversation, model::Seq upto) {
  if (given_up_) return;
  if (unsettled_ && unsettled_->erase(conversation) > 0 && unsettled_->empty()) unsettled_.reset();
  add(number, conversation, upto);
}

std::vector<Places::Delivered> Places::synced(const model::ConversationId& from,
                                              const model::ConversationId& to,
                                              const std::optional<model::ConversationId>& next,
                                              const std::vector<model::ConversationId>& listed) {
  for (const auto& conversation : listed) unsettle(conversation);
  if (complete_) return {};
  // What came live before the device was known to be contiguous there proves nothing.
  if (!TIDINGS_SEED_BUG(30)) {
    const std::unordered_set<model::ConversationId> void_now(listed.begin(), listed.end());
    places_.erase_if([&](const Place& p) { return void_now.contains(p.what.conversation); });
    for (const auto& conversation : listed) {
      if (early_) early_->erase(conversation);
    }
  }
  if (from > below_.value_or(model::ConversationId{})) return {};
  const auto end = next ? next : id_after(to);
  if (end) {
    below_ = std::max(below_.value_or(*end), *end);
    return {};
  }
  complete_ = true;
  if (!early_) return {};
  auto out = list(*early_);
  early_.reset();
  return out;
}

std::vector<Places::Delivered> Places::acked(uint64_t number) {
  if (places_.empty() || places_.front().number > number) return {};
  Newest newest;
  if (!complete_ && !early_) early_ = std::make_unique<Newest>();
  auto& into = complete_ ? newest : *early_;
  while (!places_.empty() && places_.front().number <= number) {
    raise(into, places_.front().what);
    places_.pop_front();
  }
  return list(newest);
}

}  // namespace tidings::gateway
