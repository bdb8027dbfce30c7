#include "gateway/answers.h"

namespace tidings::gateway {

wire::PageFrame page_frame(const ports::Page& page) {
  wire::PageFrame frame;
  frame.conversation = page.conversation;
  frame.holes = page.holes;
  frame.from = page.from;
  frame.upto = page.upto;
  frame.head = page.head;
  frame.asof = page.asof;
  frame.more = page.more;
  frame.earlier = page.earlier;
  frame.marks = page.marks;
  frame.mark_count = page.mark_count;
  frame.counts = page.counts;
  frame.members = page.members;
  return frame;
}

wire::SyncedConversation synced_frame(const ports::SyncRow& row) {
  wire::SyncedConversation synced;
  synced.conversation = row.conversation;
  synced.kind = row.kind;
  synced.title = row.title;
  synced.head = {row.head, row.head_id};
  synced.ord = row.ord;
  synced.role = row.role;
  synced.left = row.left;
  synced.members = row.members;
  synced.marks = row.marks;
  synced.mark_count = row.mark_count;
  synced.read_ord = row.read_ord;
  synced.unread = row.unread;
  return synced;
}

}  // namespace tidings::gateway
