#include "engine/embedded/local_link.h"

#include <atomic>
#include <vector>

namespace tidings::embedded {
namespace {

using namespace ports;

// About what a frame holds in memory.
size_t heap_bytes(const std::string& text) {
  return text.capacity();
}
template <class T>
size_t heap_bytes(const std::vector<T>& values) {
  return values.capacity() * sizeof(T);
}

// Frames of numbers alone.
template <class Frame>
  requires std::is_trivially_copyable_v<Frame>
size_t heap_bytes(const Frame&) {
  return 0;
}

size_t heap_bytes(const model::Command& command) {
  struct {
    size_t operator()(const model::CreateConversation& create) const {
      return heap_bytes(create.members) + heap_bytes(create.title);
    }
    size_t operator()(const model::SendMessage& send) const { return heap_bytes(send.message.text); }
    size_t operator()(const model::UpdateConversation& update) const {
      return update.title ? heap_bytes(*update.title) : 0;
    }
    size_t operator()(const model::AddMembers& add) const { return heap_bytes(add.users); }
    size_t operator()(const model::RemoveMember&) const { return 0; }
    size_t operator()(const model::LeaveConversation&) const { return 0; }
    size_t operator()(const model::SetRole&) const { return 0; }
    size_t operator()(const model::SetBlock&) const { return 0; }
  } bytes;
  return std::visit(bytes, command.body);
}
size_t heap_bytes(const Commands& frame) {
  size_t bytes = heap_bytes<model::Command>(frame.commands);
  for (const auto& command : frame.commands) bytes += heap_bytes(command);
  return bytes;
}
size_t heap_bytes(const Sync& frame) {
  return heap_bytes(frame.vector);
}

size_t heap_bytes(const EventOut& frame) {
  return heap_bytes(frame.people) + heap_bytes(frame.bytes) + heap_bytes(frame.joined);
}
size_t heap_bytes(const PageOut& frame) {
  if (!frame.page.ok()) return heap_bytes(frame.page.error().detail);
  const Page& page = *frame.page;
  size_t bytes = heap_bytes<std::string>(page.events) + heap_bytes(page.holes) + heap_bytes(page.marks);
  for (const auto& event : page.events) bytes += heap_bytes(event);
  return bytes;
}
size_t heap_bytes(const ReceiptOut& frame) {
  return heap_bytes(frame.people) + heap_bytes(frame.bytes);
}
size_t heap_bytes(const SyncRows& rows) {
  size_t bytes = heap_bytes<SyncRow>(rows.rows);
  for (const auto& row : rows.rows) bytes += heap_bytes(row.title) + heap_bytes(row.marks);
  return bytes;
}
size_t heap_bytes(const Members& members) {
  return heap_bytes(members.rows);
}
size_t heap_bytes(bool) {
  return 0;
}
template <class T>
size_t heap_bytes(const wire::Answer<T>& answer) {
  return answer.ok() ? heap_bytes(*answer) : heap_bytes(answer.error().detail);
}
size_t heap_bytes(const SyncOut& frame) {
  return heap_bytes(frame.rows);
}
size_t heap_bytes(const MemberOut& frame) {
  return heap_bytes(frame.member);
}
size_t heap_bytes(const MembersOut& frame) {
  return heap_bytes(frame.members);
}
size_t heap_bytes(const ReadsOut& frame) {
  return heap_bytes(frame.rows);
}
size_t heap_bytes(const BlocksOut& frame) {
  return heap_bytes(frame.users);
}
size_t heap_bytes(const EventThereOut& frame) {
  return heap_bytes(frame.there);
}

template <class Frame>
size_t frame_bytes(const Frame& frame) {
  return sizeof(Frame) + std::visit([](const auto& one) { return heap_bytes(one); }, frame);
}

void add(base::Gauge* gauge, size_t bytes, int64_t sign) {
  if (gauge) gauge->add(sign * static_cast<int64_t>(bytes));
}

}  // namespace

// Frames of this turn wait in `frames_`, touched on the gateway's executor only.
class LocalLink::Up : public LinkToCore, public std::enable_shared_from_this<Up> {
 public:
  explicit Up(Parts parts) : parts_(parts) {}

  bool send(UpFrame frame) override {
    const size_t bytes = frame_bytes(frame);
    if (outstanding_ + bytes > parts_.limits.link_queue_bytes_max) return false;
    outstanding_ += bytes;
    bytes_ += bytes;
    frames_.push_back(std::move(frame));
    if (frames_.size() == 1) parts_.gateway_executor.post([self = shared_from_this()] { self->flush(); });
    return true;
  }
  void close() { closed_ = true; }

 private:
  void flush() {
    auto frames = std::exchange(frames_, {});
    const size_t bytes = std::exchange(bytes_, 0);
    if (closed_) return;
    add(parts_.up_bytes, bytes, 1);
    parts_.core_executor.post([self = shared_from_this(), bytes, frames = std::move(frames)]() mutable {
      self->outstanding_ -= bytes;
      add(self->parts_.up_bytes, bytes, -1);
      if (!self->closed_) self->parts_.core.on_up(self->parts_.gateway_id, std::move(frames));
    });
  }

  const Parts parts_;
  std::atomic<size_t> outstanding_ = 0;
  std::atomic<bool> closed_ = false;
  std::vector<UpFrame> frames_;
  size_t bytes_ = 0;
};

// Everything but the atomics is touched on the core's executor only.
class LocalLink::Down : public LinkToGateway, public std::enable_shared_from_this<Down> {
 public:
  explicit Down(Parts parts) : parts_(parts) {}

  void open() {
    parts_.core_executor.post([self = shared_from_this()] {
      if (!self->closed_) self->parts_.core.on_link(self->parts_.gateway_id, *self);
    });
  }
  void send(DownFrame frame) override {
    if (!flushing_) {
      flushing_ = true;
      parts_.core_executor.post([self = shared_from_this()] { self->flush(); });
    }
    const size_t bytes = frame_bytes(frame);
    // After one frame was dropped the rest of the turn is, too: what comes behind a gap comes in a batch that
    // shows it.
    if (dropping_ || outstanding_ + bytes > parts_.limits.link_queue_bytes_max) {
      dropping_ = true;
      return;
    }
    outstanding_ += bytes;
    bytes_ += bytes;
    frames_.push_back(std::move(frame));
  }
  void close() { closed_ = true; }

 private:
  void flush() {
    flushing_ = false;
    auto frames = std::exchange(frames_, {});
    const size_t bytes = std::exchange(bytes_, 0);
    if (closed_) return;
    if (!frames.empty()) post_batch(std::move(frames), bytes);
    if (!std::exchange(dropping_, false)) return;
    ++number_;
    // The gap must be seen even if nothing follows. One such notice under way is enough: whoever sees it asks
    // again, and that is later than all that was dropped before.
    if (!notice_under_way_.exchange(true)) post_batch({}, 0);
  }
  void post_batch(std::vector<DownFrame> frames, size_t bytes) {
    DownBatch batch{parts_.core.stamp(), number_ + 1, number_, std::move(frames)};
    ++number_;
    add(parts_.down_bytes, bytes, 1);
    parts_.gateway_executor.post([self = shared_from_this(), bytes, batch = std::move(batch)]() mutable {
      self->outstanding_ -= bytes;
      add(self->parts_.down_bytes, bytes, -1);
      if (batch.frames.empty()) self->notice_under_way_ = false;
      if (!self->closed_) self->parts_.gateway.on_down(self->parts_.core_index, std::move(batch));
    });
  }

  const Parts parts_;
  std::atomic<size_t> outstanding_ = 0;
  std::atomic<bool> notice_under_way_ = false;
  std::atomic<bool> closed_ = false;
  std::vector<DownFrame> frames_;
  size_t bytes_ = 0;
  uint64_t number_ = 0;  // of the last batch, sent or lost
  bool flushing_ = false;
  bool dropping_ = false;
};

LocalLink::LocalLink(Parts parts) : up_(std::make_shared<Up>(parts)), down_(std::make_shared<Down>(parts)) {}

LocalLink::~LocalLink() {
  up_->close();
  down_->close();
}

ports::LinkToCore& LocalLink::to_core() {
  return *up_;
}

void LocalLink::open() {
  down_->open();
}

}  // namespace tidings::embedded
