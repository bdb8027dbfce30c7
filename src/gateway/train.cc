#include "gateway/train.h"

namespace tidings::gateway {

void Train::add(const ports::EventOut& event, const Frame& frame, const Session* except) {
  frames_.push_back(frame);
  views_.push_back(frame.view());
  bytes_ += frame.view().size();
  if (!concerns(event.from)) special_.push_back(event.from);
  special_.insert(special_.end(), event.joined.begin(), event.joined.end());
  if (except) except_.push_back(except);
  // By frame, because places are.
  std::erase_if(newest_, [&](const Newest& n) { return n.place.conversation == event.conversation; });
  newest_.push_back({frames_.size() - 1, {event.conversation, event.seq}});
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
