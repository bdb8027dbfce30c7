// What clients saw and did, in the order in which it happened: the only thing that the checker judges.
// Client-side records alone, so that one checker serves the simulator (virtual time) and real processes
// (CLOCK_MONOTONIC).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "model/conversation.h"
#include "model/ids.h"

namespace tidings::checker {

// Index of a device in the history.
using Device = uint32_t;

struct DeviceInfo {
  std::string name;  // "ann's phone"
  model::UserId user;
  // It sends one after another and keeps what it sent: its sends keep their order, and what a restore lost
  // comes back from it. (A REST caller does neither.)
  bool keeps_outbox = true;
};

// An event as an observer saw it. `content` is a hash of the text, or of what else it says.
struct Observed {
  model::ConversationId conversation;
  model::Seq seq;
  model::MessageId id;
  model::UserId from;
  model::ClientId client_id;
  uint64_t content = 0;
  bool is_message = true;
  std::shared_ptr<const decltype(model::Event::body)> body;  // of all but messages
};
Observed observed(const model::Event& event);
uint64_t content_of(const model::Message& message);

enum class What : uint8_t {
  invoke,   // a message was given to the client; from here on it may be stored
  ok,       // ticked: seq and id
  fail,     // finally refused: it must never appear
  show,     // the device rendered the event
  hold,     // the device has the event with this seq, and does not show it yet
  reset,    // the device forgot its copy of the conversation
  restart,  // a new process of the device: what it showed is gone
  copy,     // the server's data was copied aside; `number` names the copy
  restore,  // the server goes on from copy `number`
  mark,     // the device's person has read up to the event's seq; `number` 1: hidden from others
  receipt,  // the device shows that the event's `from` has read up to its seq, and received up to `number`
};

struct Record {
  int64_t time_ns = 0;
  What what = What::invoke;
  Device device = 0;
  Observed event;  // as far as the kind of record knows it
  uint64_t number = 0;
};

// An answer to "what is after this cursor".
struct Page {
  int64_t time_ns = 0;
  Device device = 0;
  model::ConversationId conversation;
  model::Seq after, upto;
  std::vector<Observed> events;
  std::vector<model::Hole> holes;
};

// All of a conversation as somebody holds it after everything was healed.
struct Copy {
  std::string holder;
  bool fresh = false;  // pulled from nothing at the end; the others kept theirs through the faults
  model::UserId user;
  model::ConversationId conversation;
  std::vector<Observed> events;
};

// What a device shows of a conversation at the end, beside its events.
struct View {
  Device device = 0;
  bool fresh = false;
  model::ConversationId conversation;
  std::string title;
  bool left = false;
  model::Role role = model::Role::member;
  uint64_t member_count = 0;
  std::vector<model::UserId> members;  // as far as it knows them, sorted
  std::vector<model::Mark> marks;      // likewise
  uint64_t unread = 0;
};
// What somebody was told of unread messages after everything was healed: a list of the server, a display.
struct UnreadSeen {
  Device device = 0;
  model::ConversationId conversation;
  uint64_t unread = 0;
};
// A send that is to be answered, by a tick or a refusal, by then.
struct Owed {
  Device device = 0;
  model::ClientId client_id;
  int64_t by_ns = 0;
};
struct BlocksSeen {
  Device device = 0;
  std::vector<model::UserId> blocked;  // sorted
};

// Thread: one. Records come in the order of their times.
class History {
 public:
  Device add_device(DeviceInfo info);

  void invoke(int64_t time_ns, Device device, const model::ConversationId& conversation,
              const model::ClientId& client_id, const model::Message& message);
  void ok(int64_t time_ns, Device device, const model::ConversationId& conversation,
          const model::ClientId& client_id, model::Seq seq, model::MessageId id);
  void fail(int64_t time_ns, Device device, const model::ClientId& client_id);
  void show(int64_t time_ns, Device device, const model::Event& event);
  void hold(int64_t time_ns, Device device, const model::ConversationId& conversation, model::Seq seq);
  void reset(int64_t time_ns, Device device, const model::ConversationId& conversation);
  void restart(int64_t time_ns, Device device);
  void copy_aside(int64_t time_ns, uint64_t number);
  void restore(int64_t time_ns, uint64_t number);
  void mark(int64_t time_ns, Device device, const model::ConversationId& conversation, model::Seq read,
            bool hidden = false);
  void receipt_seen(int64_t time_ns, Device device, const model::ConversationId& conversation,
                    model::UserId user, model::Seq read, model::Seq delivered);
  void page(Page page) { pages_.push_back(std::move(page)); }
  void final_copy(Copy copy) { copies_.push_back(std::move(copy)); }
  // The end, too. A person's own log is a conversation like any other: its copies go to final_copy().
  void final_view(View view) { views_.push_back(std::move(view)); }
  void unread_seen(Device device, const model::ConversationId& conversation, uint64_t unread) {
    unread_.push_back({device, conversation, unread});
  }
  void blocks_seen(Device device, std::vector<model::UserId> blocked) {
    blocks_.push_back({device, std::move(blocked)});
  }
  // Hashes that the fold's law makes equal; the first one is the reference.
  void fold_hash(std::string from, uint64_t hash) { folds_.push_back({std::move(from), hash}); }
  void owe(Device device, const model::ClientId& client_id, int64_t by_ns) {
    owed_.push_back({device, client_id, by_ns});
  }
  // Something that should have come to an end after everything was healed, and did not.
  void stuck(std::string sentence) { stuck_.push_back(std::move(sentence)); }

  const std::vector<DeviceInfo>& devices() const { return devices_; }
  const std::vector<Record>& records() const { return records_; }
  const std::vector<Page>& pages() const { return pages_; }
  const std::vector<Copy>& copies() const { return copies_; }
  const std::vector<View>& views() const { return views_; }
  const std::vector<UnreadSeen>& unread() const { return unread_; }
  const std::vector<BlocksSeen>& blocks() const { return blocks_; }
  const std::vector<std::pair<std::string, uint64_t>>& folds() const { return folds_; }
  const std::vector<Owed>& owed() const { return owed_; }
  const std::vector<std::string>& stuck() const { return stuck_; }

  // Of everything above: equal for equal histories.
  uint64_t hash() const;

 private:
  void add(int64_t time_ns, What what, Device device, Observed event, uint64_t number = 0);

  std::vector<DeviceInfo> devices_;
  std::vector<Record> records_;
  std::vector<Page> pages_;
  std::vector<Copy> copies_;
  std::vector<View> views_;
  std::vector<UnreadSeen> unread_;
  std::vector<BlocksSeen> blocks_;
  std::vector<std::pair<std::string, uint64_t>> folds_;
  std::vector<Owed> owed_;
  std::vector<std::string> stuck_;
};

}  // namespace tidings::checker
