#include "client/cpp/unread.h"

#include <algorithm>

namespace tidings::client {

void Unread::anchor(model::Seq head, model::Ord ord, model::Seq read, model::Ord read_ord, uint64_t unread) {
  counted_to_ = head;
  ord_ = anchor_ord_ = ord;
  read_ = read;
  read_ord_ = std::min(read_ord, ord);
  own_.clear();
  const uint64_t above = ord_.value - read_ord_.value;
  unknown_ = above - std::min(above, unread);
  unsure_ = false;
}

void Unread::apply(const model::Event& event, model::UserId self) {
  const bool own = event.from == self && event.client_id != model::ClientId{};
  const bool countable = is_countable(event);
  if (event.seq <= counted_to_) {
    if (!own || !countable || event.ord <= read_ord_ || unknown_ == 0) return;
    const auto at = std::lower_bound(own_.begin(), own_.end(), event.seq,
                                     [](const Own& o, model::Seq seq) { return o.seq < seq; });
    if (at != own_.end() && at->seq == event.seq) return;
    own_.insert(at, {event.seq, event.ord});
    --unknown_;
    return;
  }
  counted_to_ = event.seq;
  // Holes may have had messages, too.
  ord_ = std::max(ord_, model::Ord{event.ord.value - (countable && event.ord.value > 0 ? 1 : 0)});
  const uint64_t unread = count();
  ord_ = std::max(ord_, event.ord);

  const auto* created = std::get_if<model::ConversationCreated>(&event.body);
  const auto* added = std::get_if<model::MembersAdded>(&event.body);
  const bool joins = created || (added && std::find(added->members.begin(), added->members.end(), self) !=
                                              added->members.end());
  if (joins || (own && unread == 0)) {
    read_all(event.seq);
  } else if (own && countable) {
    if (own_.size() + unknown_ >= own_after_read_max) {
      if (unknown_ > 0) {
        --unknown_;
        unsure_ = true;
      } else {
        read_ord_ = std::max(read_ord_, own_.front().ord);
        own_.pop_front();
      }
    }
    own_.push_back({event.seq, event.ord});
  }
}

void Unread::read_all(model::Seq seq) {
  read_ = std::max(read_, seq);
  read_ord_ = ord_;
  own_.clear();
  unknown_ = 0;
  unsure_ = false;
}

void Unread::read(model::Seq seq, model::Ord ord) {
  if (seq <= read_) return;
  read_ = seq;
  if (seq >= counted_to_) return read_all(seq);
  if (ord <= read_ord_) return;
  read_ord_ = std::min(ord, ord_);
  std::erase_if(own_, [this](const Own& own) { return own.ord <= read_ord_; });
  if (unknown_ == 0) return;
  if (read_ord_ >= anchor_ord_) {
    unknown_ = 0;
  } else {
    unknown_ = std::min(unknown_, anchor_ord_.value - read_ord_.value);
    unsure_ = true;
  }
}

void Unread::recount(const std::deque<model::Event>& events, model::UserId self) {
  own_.clear();
  for (const model::Event& event : events) {
    if (event.from != self || !is_countable(event) || event.ord <= read_ord_ || event.seq > counted_to_)
      continue;
    own_.push_back({event.seq, event.ord});
    if (own_.size() > own_after_read_max) {
      read_ord_ = own_.front().ord;
      own_.pop_front();
    }
  }
  unknown_ = 0;
  unsure_ = false;
}

uint64_t Unread::count() const {
  const uint64_t above = ord_.value - std::min(read_ord_, ord_).value;
  return above - std::min<uint64_t>(above, own_.size() + unknown_);
}

}  // namespace tidings::client
