#include "test/faults/probe.h"

#include "client/cpp/system.h"

namespace tidings::faults {

Probe::Probe(client::Address address, client::LogIn log_in) : log_in_(std::move(log_in)), reactor_("probe") {
  reactor_.start();
  reactor_.post([this, address = std::move(address)] {
    client::open_websocket(reactor_, address, [this](std::unique_ptr<ports::Transport> transport) {
      if (!transport) return;
      transport_ = std::move(transport);
      transport_->set_handler(this);
      transport_->send(wire::encode(wire::Hello{.token = log_in_.token, .app = "faults/1"}));
    });
  });
}

Probe::~Probe() {
  reactor_.stop();
}

std::optional<wire::Welcome> Probe::welcome(base::nanoseconds at_most) {
  auto welcome = welcome_.get_future();
  if (welcome.wait_for(at_most) != std::future_status::ready) return std::nullopt;
  return welcome.get();
}

std::string Probe::send(model::UserId to, const std::string& text, base::nanoseconds at_most) {
  auto answered = std::make_shared<std::promise<std::future<std::string>>>();
  reactor_.post([this, to, text, answered] {
    const uint64_t request = ++request_;
    answered->set_value(answers_[request].get_future());
    if (!transport_) return;
    client::SystemRandom random;
    const model::ClientId client_id{model::uuid_v7(client::SystemClock().wall(), random.u64(), random.u64())};
    transport_->send(wire::encode(wire::MessageSend{
        .request = request, .to = to, .client_id = client_id, .message = {model::MessageKind::text, text}}));
  });
  auto answer = answered->get_future().get();
  if (answer.wait_for(at_most) != std::future_status::ready) return "no answer";
  return answer.get();
}

void Probe::on_frame(std::string_view text) {
  const auto answer = [this](uint64_t request, std::string what) {
    const auto found = answers_.find(request);
    if (found == answers_.end()) return;
    found->second.set_value(std::move(what));
    answers_.erase(found);
  };
  for (const auto& parsed : wire::parse_server_frames(text).frames) {
    if (!parsed.ok()) continue;
    if (const auto* welcome = std::get_if<wire::Welcome>(&*parsed)) {
      if (!std::exchange(welcomed_, true)) welcome_.set_value(*welcome);
    } else if (const auto* error = std::get_if<wire::ErrorFrame>(&*parsed)) {
      if (error->request) answer(*error->request, std::string(wire::name(error->code)));
    } else if (const auto* ok = std::get_if<wire::Ok>(&*parsed)) {
      answer(ok->request, "ok");
    }
  }
}

void Probe::on_closed(uint16_t, std::string_view) {}

}  // namespace tidings::faults
