// Frames from the server, as gateway and delivery write them; events stand in event_json.cc.
#include "wire/frame_fields.h"
#include "wire/frames.h"
#include "wire/page_json.h"

namespace tidings::wire {
namespace {

void write_marks(JsonWriter& json, const std::vector<model::Mark>& marks, uint64_t mark_count) {
  json.key("marks").begin_array();
  for (const auto& mark : marks) {
    json.begin_object().key("user").id(mark.user);
    json.key("read").number(mark.read.value).key("delivered").number(mark.delivered.value).end_object();
  }
  json.end_array().key("mark_count").number(mark_count);
}

// Left out where everybody's marks are listed.
void write_counts(JsonWriter& json, const std::vector<model::ReadCount>& counts, uint64_t members) {
  if (counts.empty()) return;
  json.key("counts").begin_array();
  for (const auto& count : counts) {
    json.begin_array().number(count.seq.value).number(count.read).number(count.delivered).end_array();
  }
  json.end_array().key("members").number(members);
}

}  // namespace

std::string encode(const Welcome& welcome) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("type").string("welcome");
  json.key("version").number(static_cast<uint64_t>(welcome.version));
  json.key("session").string(welcome.session).key("resume").string(welcome.resume);
  json.key("resumed").boolean(welcome.resumed).key("received").number(welcome.received);
  if (welcome.resumed) json.key("replayed").number(welcome.replayed);
  json.key("user").id(welcome.user).key("device").id(welcome.device);
  json.key("heartbeat_ms").number(welcome.heartbeat_ms).key("now").number(base::to_ms(welcome.now));
  json.key("branch").string(welcome.branch).key("sync").string(welcome.sync);
  json.key("limits").begin_object();
  json.key("frame_bytes_max")
      .number(welcome.frame_bytes_max)
      .key("text_bytes_max")
      .number(welcome.text_bytes_max);
  json.key("page_events_max").number(welcome.page_events_max);
  json.key("sends_in_flight_max").number(welcome.sends_in_flight_max);
  json.key("sync_rows_max").number(welcome.sync_rows_max).key("members_max").number(welcome.members_max);
  json.key("title_bytes_max").number(welcome.title_bytes_max).end_object().end_object();
  return out;
}

std::string encode(const Pong& pong) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("type").string("pong").key("ephemeral").boolean(true);
  json.key("now").number(base::to_ms(pong.now)).end_object();
  return out;
}

std::string encode(const Moved& moved) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("type").string("moved").key("ephemeral").boolean(true);
  json.key("retry_ms").number(moved.retry_ms).end_object();
  return out;
}

std::string encode(const Dirty& dirty) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("type").string("dirty").key("conversations").begin_array();
  for (const auto& row : dirty.conversations) {
    json.begin_array().id(row.conversation).number(row.head.value).end_array();
  }
  json.end_array().key("list").boolean(dirty.list);
  if (!dirty.branch.empty()) json.key("branch").string(dirty.branch);
  json.end_object();
  return out;
}

std::string encode(const Ok& ok) {
  std::string out;
  out.reserve(240);
  JsonWriter json(out);
  json.begin_object().key("type").string("ok").key("request").number(ok.request);
  json.key("conversation").id(ok.conversation);
  json.key("seq").number(ok.seq.value).key("ord").number(ok.ord.value).key("id").id(ok.id);
  json.key("time").number(base::to_ms(ok.time));
  if (ok.duplicate) json.key("duplicate").boolean(true);
  json.end_object();
  return out;
}

std::string encode(const ErrorFrame& error) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("type").string("error");
  if (error.request) json.key("request").number(*error.request);
  json.key("code").string(name(error.code));
  json.key("message").string(error.message.empty() ? row(error.code).sentence : error.message);
  if (error.retry_ms) json.key("retry_ms").number(*error.retry_ms);
  if (error.missing) json.key("missing").id(*error.missing);
  json.end_object();
  return out;
}

std::string encode(const Receipt& receipt) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("type").string("receipt");
  write_id(json, "conversation", receipt.conversation);
  write_marks(json, receipt.marks, receipt.mark_count);
  write_counts(json, receipt.counts, receipt.members);
  json.end_object();
  return out;
}

void write_page(JsonWriter& json, const PageFrame& page, const std::vector<std::string>& events) {
  json.key("conversation").id(page.conversation);
  json.key("events").begin_array();
  for (const auto& event : events) json.raw(event);
  json.end_array().key("holes").begin_array();
  for (const auto& hole : page.holes) {
    json.begin_array().number(hole.from.value).number(hole.to.value).string(word(hole.why)).end_array();
  }
  json.end_array();
  json.key("from").number(page.from.value).key("upto").number(page.upto.value);
  json.key("head").number(page.head.value).key("more").boolean(page.more);
  json.key("earlier").boolean(page.earlier).key("asof").number(page.asof.value);
  write_marks(json, page.marks, page.mark_count);
  write_counts(json, page.counts, page.members);
}

std::string encode_page(const PageFrame& page, const std::vector<std::string>& events) {
  std::string out;
  size_t bytes = 512;
  for (const auto& event : events) bytes += event.size() + 1;
  out.reserve(bytes);
  JsonWriter json(out);
  json.begin_object().key("type").string("page").key("request").number(page.request);
  write_page(json, page, events);
  json.end_object();
  return out;
}

std::string encode(const SyncAnswer& sync) {
  std::string out;
  out.reserve(256 + sync.conversations.size() * 400);
  JsonWriter json(out);
  json.begin_object().key("type").string("sync").key("request").number(sync.request);
  json.key("conversations").begin_array();
  for (const auto& synced : sync.conversations) {
    json.begin_object().key("conversation").id(synced.conversation);
    json.key("kind").string(word(synced.kind)).key("title").string(synced.title);
    json.key("head").number(synced.head.seq.value).key("head_id").id(synced.head.id);
    json.key("ord").number(synced.ord.value).key("role").string(word(synced.role));
    json.key("left").boolean(synced.left).key("members").number(synced.members);
    write_marks(json, synced.marks, synced.mark_count);
    json.key("read_ord").number(synced.read_ord.value).key("unread").number(synced.unread).end_object();
  }
  json.end_array();
  // A position needs 64 bits: a decimal string like every other id.
  json.key("activity").id(sync.activity).key("more").boolean(sync.more);
  if (sync.next) json.key("next").id(*sync.next);
  json.end_object();
  return out;
}

}  // namespace tidings::wire
