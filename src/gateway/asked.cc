#include "gateway/asked.h"

#include <algorithm>

namespace tidings::gateway {

namespace {

ports::History::Where where_of(wire::HistoryPlace place) {
  switch (place) {
    case wire::HistoryPlace::after:
      return ports::History::Where::after;
    case wire::HistoryPlace::around:
      return ports::History::Where::around;
    case wire::HistoryPlace::before:
      break;
  }
  return ports::History::Where::before;
}

}  // namespace

ports::Mark mark_of(const wire::MarkFrame& mark, model::UserId user) {
  ports::Mark told;
  told.marking.user = user;
  told.marking.conversation = mark.conversation;
  told.marking.delivered = mark.delivered.value_or(model::Seq{});
  if (!mark.read) return told;
  told.marking.read = mark.read->seq;
  told.marking.read_ord = mark.read_ord;
  told.marking.hidden = mark.hidden;
  told.read_id = mark.read->id;
  return told;
}

ports::History history_of(const wire::HistoryFrame& history, model::UserId user, uint64_t query,
                          const base::Limits& limits) {
  ports::History question;
  question.query = query;
  question.user = user;
  question.conversation = history.conversation;
  question.where = where_of(history.place);
  question.seq = history.seq;
  question.have = history.have;
  question.limit =
      static_cast<size_t>(std::min<uint64_t>(limits.page_events_max, history.limit.value_or(question.limit)));
  return question;
}

}  // namespace tidings::gateway
