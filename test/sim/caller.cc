#include "test/sim/caller.h"

#include <algorithm>

#include "wire/frames.h"

namespace tidings::sim {
namespace {

using base::milliseconds;
using base::seconds;

}  // namespace

Caller::Caller(Parts parts, Prng random)
    : parts_(std::move(parts)),
      random_(random),
      number_(parts_.history.add_device({parts_.name, parts_.who.user, false})),
      executor_(parts_.scheduler.make_process(parts_.name).make_executor()) {}

Caller::~Caller() {
  executor_.process().kill();
}

model::ClientId Caller::new_client_id() {
  if (random_.chance(300)) {
    // Up to ten days old: below the highest, so the fold must look it up.
    const auto time =
        parts_.server.clock.wall() - milliseconds(static_cast<int64_t>(random_.below(864'000'000)));
    return {model::uuid_v7(time, random_.next(), random_.next())};
  }
  model::ClientId id;
  for (auto& byte : id.bytes) byte = static_cast<uint8_t>(random_.next() >> 24);
  id.bytes[6] = static_cast<uint8_t>(0x40 | (id.bytes[6] & 0x0f));
  id.bytes[8] = static_cast<uint8_t>(0x80 | (id.bytes[8] & 0x3f));
  return id;
}

void Caller::say(model::UserId to, std::string text) {
  executor_.post([this, to, text = std::move(text)]() mutable {
    const auto conversation = model::direct_conversation(parts_.who.user, to);
    sends_.push_back(
        {.to = to, .conversation = conversation, .client_id = new_client_id(), .text = std::move(text)});
    const auto& send = sends_.back();
    parts_.history.invoke(now_ns(), number_, conversation, send.client_id,
                          {model::MessageKind::text, send.text});
    attempt(sends_.size() - 1);
  });
}

void Caller::repeat() {
  executor_.post([this] {
    if (sends_.empty()) return;
    const auto index = random_.below(sends_.size());
    if (!sends_[index].answered || sends_[index].asked || sends_[index].given_up) return;
    attempt(index);
  });
}

void Caller::attempt(size_t index) {
  auto& send = sends_[index];
  const auto number = ++send.attempt;
  send.asked = true;
  const bool answer_is_lost = random_.chance(80);
  const auto back = milliseconds(1) + random_.duration(milliseconds(20));
  auto done = [this, index, number, answer_is_lost, back](wire::Answer<gateway::SendAnswer> answer) {
    if (answer_is_lost) return;
    executor_.post_at(parts_.scheduler.now() + back, [this, index, number, answer = std::move(answer)] {
      on_answer(index, number, answer);
    });
  };
  const bool asked = parts_.server.on_gateway(random_.next(), [this, index, done](gateway::Gateway& gateway) {
    const auto& what = sends_[index];
    if (!what.created) {
      gateway.create_direct(parts_.who, what.to, model::create_client_id(what.client_id), done);
    } else {
      gateway.send_message(parts_.who, what.conversation, what.client_id,
                           {model::MessageKind::text, what.text}, done);
    }
  });
  if (!asked) return retry_later(index, milliseconds(500));
  // Who asks a slow server again before it can answer never hears it.
  const auto patience = seconds(8) * (1 << std::min<uint64_t>(send.unanswered, 3));
  executor_.after(patience, [this, index, number] {
    if (sends_[index].attempt != number || !sends_[index].asked) return;
    ++sends_[index].unanswered;
    retry_later(index, milliseconds(1));
  });
}

void Caller::retry_later(size_t index, nanoseconds delay) {
  executor_.after(delay, [this, index] { attempt(index); });
}

void Caller::on_answer(size_t index, uint64_t number, wire::Answer<gateway::SendAnswer> answer) {
  auto& send = sends_[index];
  if (send.attempt != number) return;
  send.unanswered = 0;
  if (!answer.ok()) {
    send.last_error = wire::name(answer.error().code);
    // A clock was wrong when the id was made; a client would make a new one.
    const auto code = answer.error().code;
    if (code == wire::Code::client_id_ahead || code == wire::Code::expired) {
      send.given_up = true;
      send.asked = false;
      return;
    }
    // Blocked.
    if (code == wire::Code::forbidden) {
      send.given_up = true;
      send.asked = false;
      return;
    }
    // A restore has unmade the conversation: made again, as any client would.
    if (code == wire::Code::not_found) send.created = false;
    return retry_later(index, milliseconds(100) + random_.duration(seconds(1)));
  }
  if (!send.created) {
    send.created = true;
    return attempt(index);
  }
  send.answered = true;
  send.asked = false;
  parts_.history.ok(now_ns(), number_, answer->conversation, answer->client_id, answer->seq, answer->id);
}

void Caller::read() {
  executor_.post([this] {
    if (sends_.empty()) return;
    const auto& send = sends_[random_.below(sends_.size())];
    if (send.answered)
      ask_page(send.conversation, model::Seq{random_.below(20)}, random_.between(1, 60), false);
  });
}

void Caller::read_all(const model::ConversationId& conversation, size_t limit) {
  executor_.post([this, conversation, limit] { ask_page(conversation, model::Seq{0}, limit, true); });
}

void Caller::ask_page(const model::ConversationId& conversation, model::Seq after, size_t limit, bool go_on) {
  parts_.server.on_gateway(random_.next(), [=, this](gateway::Gateway& gateway) {
    gateway.read_messages(
        parts_.who, conversation, after, limit, [=, this](wire::Answer<ports::Page> answer) {
          executor_.post([=, this, answer = std::move(answer)] {
            if (!answer.ok()) return;
            checker::Page page{now_ns(), number_, conversation, after, answer->upto, {}, answer->holes};
            for (const auto& text : answer->events) {
              const auto parsed = wire::parse_server_frames(text);
              if (parsed.frames.size() != 1 || !parsed.frames[0].ok()) continue;
              if (const auto* frame = std::get_if<wire::EventFrame>(&parsed.frames[0].value())) {
                page.events.push_back(checker::observed(frame->event));
              }
            }
            parts_.history.page(std::move(page));
            if (go_on && answer->more && answer->upto > after)
              ask_page(conversation, answer->upto, limit, true);
          });
        });
  });
}

bool Caller::idle() const {
  return std::all_of(sends_.begin(), sends_.end(),
                     [](const Send& send) { return send.given_up || (send.answered && !send.asked); });
}

std::string Caller::waiting_for() const {
  for (const auto& send : sends_) {
    if (send.given_up || (send.answered && !send.asked)) continue;
    return parts_.name + " waits for the answer to " + model::to_text(send.client_id) + " (" +
           std::to_string(send.attempt) + " attempts, last error: " + send.last_error + ")";
  }
  return {};
}

}  // namespace tidings::sim
