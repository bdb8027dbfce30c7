// What gateways ask of a shard: commands and marks go to the log, questions to the queries.
#include <algorithm>

#include "delivery/shard.h"
#include "wire/record.h"

namespace tidings::delivery {

using wire::Code;

namespace {

bool causes_effects(const model::Command& command) {
  return std::visit(
      []<class Body>(const Body&) {
        return !std::is_same_v<Body, model::SendMessage> &&
               !std::is_same_v<Body, model::UpdateConversation> && !std::is_same_v<Body, model::SetRole>;
      },
      command.body);
}

}  // namespace

void Shard::on_link(uint64_t gateway, ports::LinkToGateway& link) {
  registry_.add_link(gateway, link);
}

void Shard::on_unlink(uint64_t gateway) {
  registry_.remove_link(gateway);
  receipts_.unfocus(gateway);
}

ports::LinkStamp Shard::stamp() const {
  return {parts_.source, parts_.log.time(), folded_below()};
}

void Shard::on_up(uint64_t gateway, std::vector<ports::UpFrame> frames) {
  in_turn_ = true;
  for (auto& frame : frames) {
    std::visit([this, gateway](auto& f) { take(gateway, std::move(f)); }, frame);
  }
  in_turn_ = false;
  parts_.log.release();
}

std::optional<Code> Shard::append(std::vector<ports::Log::Append> records) {
  return in_turn_ ? parts_.log.append_held(std::move(records)) : parts_.log.append(std::move(records));
}

void Shard::take(uint64_t gateway, ports::Attach frame) {
  registry_.attach(gateway, frame.user);
}
void Shard::take(uint64_t gateway, ports::Detach frame) {
  registry_.detach(gateway, frame.user);
}
void Shard::take(uint64_t gateway, ports::Focus frame) {
  receipts_.focus(gateway, frame);
}
void Shard::take(uint64_t gateway, ports::Pull frame) {
  queries_.pull(gateway, frame);
}
void Shard::take(uint64_t gateway, ports::History frame) {
  queries_.history(gateway, frame);
}
void Shard::take(uint64_t gateway, ports::Sync frame) {
  queries_.sync(gateway, std::move(frame));
}
void Shard::take(uint64_t gateway, ports::AskMember frame) {
  queries_.ask_member(gateway, frame);
}
void Shard::take(uint64_t gateway, ports::AskMembers frame) {
  queries_.ask_members(gateway, frame);
}
void Shard::take(uint64_t gateway, ports::AskBlocks frame) {
  queries_.ask_blocks(gateway, frame);
}
void Shard::take(uint64_t gateway, ports::AskReads frame) {
  queries_.ask_reads(gateway, frame);
}
void Shard::take(uint64_t gateway, ports::AskEvent frame) {
  queries_.ask_event(gateway, frame);
}

// --- commands

void Shard::take(uint64_t, ports::Commands frame) {
  if (frame.commands.empty()) return;
  // Room for the state is made before the append: what stands in the log must be folded, whatever there is
  // room for. The load and the sync of the log then run side by side.
  const bool too_much = arrived_bytes_ > parts_.limits.undispatched_bytes_max ||
                        arrived_.size() > parts_.limits.undispatched_records_max ||
                        (effects_.full() && std::ranges::any_of(frame.commands, causes_effects));
  if (too_much) return refuse(frame.commands, Code::busy);
  const auto& conversation = frame.commands.front().conversation;
  if (!rates_.draw(conversation, parts_.clock.monotonic(), frame.commands.size()).taken) {
    rate_limited_.add(frame.commands.size());
    return refuse(frame.commands, Code::rate_limited);
  }
  Conversation* c = conversations_.try_get(conversation);
  if (!c) return refuse(frame.commands, Code::busy);
  std::vector<ports::Log::Append> records;
  records.reserve(frame.commands.size());
  for (const auto& command : frame.commands) {
    records.push_back({model::partition_of(command.conversation), wire::encode_record(command)});
  }
  if (const auto refused = append(std::move(records))) return refuse(frame.commands, *refused);
  c->expected += static_cast<uint32_t>(frame.commands.size());
  for (const auto& command : frame.commands) latency_.appended(command.reply_to);
}

void Shard::refuse(const std::vector<model::Command>& commands, Code code) {
  for (const auto& command : commands) {
    ports::Reply reply;
    reply.to = command.reply_to;
    reply.conversation = command.conversation;
    reply.client_id = command.client_id;
    reply.error = code;
    reply.appended = false;
    registry_.send(reply.to.gateway, reply);
  }
}

// --- marks

void Shard::take(uint64_t, ports::Mark frame) {
  const auto marking = frame.marking;
  const bool taken = arrived_bytes_ <= parts_.limits.undispatched_bytes_max &&
                     queries_.with(marking.conversation, [this, frame](Conversation& c) { mark(frame, c); });
  if (!taken) answer_mark(marking, Code::busy, nullptr);
}

void Shard::mark(const ports::Mark& frame, Conversation& c) {
  const auto& marking = frame.marking;
  if (const auto refused = Queries::refusal(c, marking.user, true)) return answer_mark(marking, refused, &c);
  const fold::Member& m = *c.state.member(marking.user);
  // What would move nothing needs no record: marks only grow, so no record before it changes that.
  const bool above_head = marking.read > c.state.seq || marking.delivered > c.state.seq;
  const bool moves = marking.read > (marking.hidden ? m.read : m.shown_read) || marking.read > m.read ||
                     marking.delivered > m.delivered;
  if (above_head || !moves) return answer_mark(marking, std::nullopt, &c);
  if (!frame.read_id) return append_mark(frame, c);
  queries_.compare(c, {marking.read, *frame.read_id}, [this, frame](wire::Answer<bool> there) {
    if (!there) return answer_mark(frame.marking, there.error().code, nullptr);
    if (!*there) return answer_mark(frame.marking, Code::diverged, nullptr);
    const bool taken = queries_.with(frame.marking.conversation,
                                     [this, frame](Conversation& now) { append_mark(frame, now); });
    if (!taken) answer_mark(frame.marking, Code::busy, nullptr);
  });
}

void Shard::append_mark(const ports::Mark& frame, Conversation& c) {
  const auto& marking = frame.marking;
  const auto refused = append({{model::partition_of(marking.conversation), wire::encode_record(marking)}});
  if (refused) return answer_mark(marking, refused, nullptr);
  ++c.expected;
}

void Shard::answer_mark(const model::Marking& marking, std::optional<Code> error, const Conversation* c) {
  if (marking.reply_to.gateway == 0) return;
  ports::Reply reply;
  reply.to = marking.reply_to;
  reply.conversation = marking.conversation;
  reply.error = error;
  reply.appended = false;
  if (!error && c) {
    reply.seq = c->state.seq;
    reply.ord = c->state.ord;
    reply.id = c->state.head_id;
    reply.time = model::message_time(reply.id);
  }
  registry_.send(reply.to.gateway, reply);
}

}  // namespace tidings::delivery
