#include "gateway/train.h"

namespace tidings::gateway {

void Train::add(const ports::EventOut& event, const Frame& frame, const Session* except) {
  frames_.push_back(frame);
  views_.push_back(frame.view());
  bytes_ += frame.view().size();
  if (!concerns(event.from)) special_.push_back(event.from);
  special_.insert(special_.end(), event.joined.begin(), event.joined.end());
  if (except) except_.push_back(except);
  const Newest newest{frames_.size() - 1, {event.conversation, event.seq}};
  const auto same =
      std::ranges::find(newest_, event.conversation, [](const Newest& n) { return n.place.conversation; });
  same == newest_.end() ? newest_.push_back(newest) : void(*same = newest);
}

void Train::clear() {
  frames_.clear();
  views_.clear();
  special_.clear();
  except_.clear();
  newest_.clear();
  shared_ = {};
  bytes_ = 0;
}

}  // namespace tidings::gateway
