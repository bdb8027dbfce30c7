#include <algorithm>

#include "client/cpp/backoff.h"
#include "client/cpp/timelines.h"

namespace tidings::client {

using base::MonotonicTime;
using std::chrono::milliseconds;
using std::chrono::seconds;

void Timelines::connected(const Welcomed& welcomed) {
  disconnected();
  connected_ = true;
  const bool branch_changed = !branch_.empty() && branch_ != welcomed.branch;
  branch_ = welcomed.branch;
  // Of another history: should this sync be cut, the next server must not go by it.
  if (branch_changed && !welcomed.changes) activity_.reset();
  self_ = welcomed.self;
  own_log_ = model::self_conversation(self_);
  pulls_max_ = std::max<size_t>(1, welcomed.pulls_max);
  const bool changes = welcomed.changes && activity_;
  std::vector<wire::VectorEntry> rows;
  for (auto& [id, conversation] : conversations_) {
    conversation.listed = false;
    conversation.asked_for = {};
    // A server that started anew may have gone back to a copy of its data. Nothing is put behind our copy
    // until a pull has shown that the server agrees with it, and what we heard of above may be of another
    // history.
    if (branch_changed && !welcomed.changes) {
      if (conversation.timeline.view().have.seq.value > 0) conversation.unchecked = true;
      if (conversation.timeline.behind()) {
        conversation.timeline.doubt(self_);
        conversation.recovering = conversation.marks_doubted = true;
        continue;  // without an entry the server lists it in any case
      }
    }
    // Of changes only what an earlier connection left behind: the server cannot know that it is owed.
    const auto& view = conversation.timeline.view();
    if (changes ? conversation.timeline.behind() : view.have.seq.value > 0)
      rows.push_back({id, view.have, conversation.mark_count});
  }
  new_activity_.reset();
  sync_.start(std::move(rows), welcomed.chunk_rows_max, changes ? activity_ : std::nullopt);
}

void Timelines::disconnected() {
  connected_ = false;
  syncing_ = true;
  list_dirty_ = false;
  resyncing_ = false;
  sync_request_ = 0;
  sync_refused_ = 0;
  sync_at_ = MonotonicTime::min();
  queue_.clear();
  in_flight_.clear();
  late_.clear();
  wakes_.clear();
  marking_.disconnected();
  rows_.disconnected();
  histories_.disconnected();
  for (auto& [id, conversation] : conversations_) {
    conversation.pull = Pull::none;
    conversation.dirty = false;
  }
}

void Timelines::resumed(MonotonicTime now) {
  connected_ = true;
  if (std::exchange(sync_request_, 0) != 0) sync_at_ = MonotonicTime::min();
  while (!in_flight_.empty()) pull_again(now);
  rows_.resumed();
  histories_.resumed();
  marking_.resumed(now);
}

void Timelines::dirty(const wire::Dirty& dirty, MonotonicTime now) {
  for (const wire::Dirty::Row& row : dirty.conversations) {
    Conversation* conversation = find_or_add(row.conversation);
    if (!conversation) continue;
    conversation->dirty = true;
    conversation->listed = true;
    want_pull(*conversation, now, {});
  }
  if (!dirty.list) return;
  list_dirty_ = true;
  if (!syncing_) sync_changes(now);
}

// The history is the one that this session began with, so a row can only be older than what came live.
void Timelines::sync_changes(MonotonicTime now) {
  list_dirty_ = false;
  resyncing_ = syncing_ = true;
  sync_refused_ = 0;
  sync_at_ = now;
  new_activity_.reset();
  sync_.start({}, 1, activity_);
}

bool Timelines::synced(const wire::SyncAnswer& answer, MonotonicTime now) {
  if (const auto one = rows_.answered(answer.request)) return row_answered(*one, answer, now);
  if (answer.request != sync_request_ || sync_request_ == 0) return true;
  const auto step = sync_.answer(answer);
  if (step == VectorSync::Step::broken) return false;
  for (const wire::SyncedConversation& row : answer.conversations) {
    if (!take_row(row, false, now)) return false;
  }
  if (!new_activity_ || answer.activity < *new_activity_) new_activity_ = answer.activity;
  sync_request_ = 0;
  sync_refused_ = 0;
  sync_at_ = MonotonicTime::min();
  return step == VectorSync::Step::again || end_sync(now);
}

bool Timelines::row_answered(const model::ConversationId& id, const wire::SyncAnswer& answer,
                             MonotonicTime now) {
  for (const wire::SyncedConversation& row : answer.conversations) {
    if (row.conversation != id) return false;
    return take_row(row, true, now);
  }
  const auto found = conversations_.find(id);
  if (found != conversations_.end() && found->second.timeline.empty()) forget_gone(found->second);
  return true;
}

bool Timelines::begins_at_head(const Conversation& conversation) const {
  return catch_up_ == CatchUp::newest && conversation.timeline.empty() && !conversation.recovering &&
         conversation.timeline.view().conversation != own_log_;
}

bool Timelines::take_row(const wire::SyncedConversation& row, bool alone, MonotonicTime now) {
  Conversation* found = find_or_add(row.conversation);
  if (!found) return true;
  Conversation& conversation = *found;
  Timeline& timeline = conversation.timeline;
  conversation.gone = false;
  conversation.listed = true;
  // Of a row that was asked for in between, live events may have gone past it.
  if (!(alone || resyncing_) || row.head.seq >= timeline.view().have.seq) {
    if (!settle(conversation, timeline.compare(row.head), {}, now)) return false;
    if (begins_at_head(conversation)) {
      timeline.start_at(row.head, row.ord);
      unsettled_.erase(row.conversation);
      if (!row.left && row.kind != model::ConversationKind::self)
        marking_.delivered(row.conversation, row.head.seq, false, now);
    } else if (timeline.behind()) {
      unsettled_.insert(row.conversation);
    }
  }
  fold(timeline.view(), row);
  if (row.kind != model::ConversationKind::self) anchor(conversation, row);
  conversation.mark_count = row.mark_count;
  // Members that only a row of a lost branch told of are not taken back by any event.
  const bool lists_all = !row.left && row.marks.size() == row.members;
  if (lists_all && row.head.seq >= timeline.view().have.seq) keep_members(timeline.view(), row.marks);
  take_marks(conversation, row.marks, {}, 0, row.head.seq, true, now);
  sink_.on_listed(row.conversation);
  if (!alone) return true;
  Timeline::Applied applied;
  const auto outcome = timeline.release(applied);
  if (!settle(conversation, outcome, applied, now)) return false;
  // An empty page, too, tells the server that nothing is missing here.
  want_pull(conversation, now, {});
  return true;
}

bool Timelines::end_sync(MonotonicTime now) {
  syncing_ = false;
  resyncing_ = false;
  activity_ = new_activity_;
  if (list_dirty_) {
    sync_changes(now);
    return true;
  }
  for (auto& [id, conversation] : conversations_) {
    // After a restore the server may not know a conversation at all, and then it is not listed either.
    if (conversation.unchecked) {
      unsettled_.insert(id);
    } else {
      Timeline::Applied applied;
      const auto outcome = conversation.timeline.release(applied);
      if (!settle(conversation, outcome, applied, now)) return false;
    }
    if (conversation.recovering) unsettled_.insert(id);
    if (unsettled_.contains(id) || conversation.timeline.behind()) want_pull(conversation, now, {});
  }
  marking_.ready(now);
  return true;
}

}  // namespace tidings::client
