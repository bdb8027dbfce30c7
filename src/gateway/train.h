// Events that stand behind each other in a batch for the same people, ready to be written to any of their
// sessions in one piece. Most sessions of a busy group have room and hear all of them; who does not hears
// them one by one.
#pragma once

#include <algorithm>
#include <string_view>
#include <vector>

#include "gateway/frame.h"
#include "gateway/places.h"
#include "ports/link.h"
#include "ports/transport.h"

namespace tidings::gateway {

class Session;

class Train {
 public:
  void add(const ports::EventOut& event, const Frame& frame, const Session* except);
  void clear();

  // For sessions of these people it is no train: they sent one of the events, or came in with one.
  bool concerns(model::UserId user) const { return std::ranges::find(special_, user) != special_.end(); }
  bool leaves_out(const Session& session) const {
    return std::ranges::find(except_, &session) != except_.end();
  }

  const std::vector<Frame>& frames() const { return frames_; }
  // Of all frames.
  size_t bytes() const { return bytes_; }
  ports::SharedFrames& shared() {
    shared_.frames = views_;
    return shared_;
  }
  // The newest event of each conversation, and which frame it is; by frame.
  struct Newest {
    size_t frame;
    Places::Delivered place;
  };
  const std::vector<Newest>& newest() const { return newest_; }

 private:
  std::vector<Frame> frames_;
  std::vector<std::string_view> views_;  // of the frames
  std::vector<model::UserId> special_;
  std::vector<const Session*> except_;
  std::vector<Newest> newest_;
  ports::SharedFrames shared_;
  size_t bytes_ = 0;
};

}  // namespace tidings::gateway
