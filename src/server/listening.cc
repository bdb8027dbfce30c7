#include "server/listening.h"

#include "base/log_line.h"
#include "engine/embedded/websocket_transport.h"
#include "wire/frames.h"

namespace tidings::server {

namespace {
constexpr auto certificate_interval = std::chrono::seconds(2);
}

base::Status Listening::load_certificate() {
  const Config& config = parts_.config;
  if (config.tls_certificate.empty()) return {};
  auto loaded = net::TlsIdentity::load(config.tls_certificate, config.tls_key);
  if (!loaded) return base::fail(loaded.error());
  tls_ = std::move(*loaded);
  certificate_thread_ = std::make_unique<base::ThreadExecutor>("certificate");
  watch_certificate();
  return {};
}

void Listening::watch_certificate() {
  certificate_thread_->after(certificate_interval, [this] {
    const auto taken = tls_->reload();
    if (!taken) {
      base::log_warning("the new certificate is not taken, the old one stays: {}", taken.error().sentence);
    } else if (*taken) {
      base::log_info("the certificate {} has changed and is taken", parts_.config.tls_certificate);
    }
    watch_certificate();
  });
}

base::Result<std::unique_ptr<Listening>> Listening::open(Parts given) {
  std::unique_ptr<Listening> listening(new Listening(std::move(given)));
  Listening& l = *listening;
  const Parts& parts = l.parts_;
  if (auto loaded = l.load_certificate(); !loaded) return base::fail(loaded.error());
  const auto& bad_frame = wire::row(wire::Code::bad_frame);
  const std::shared_ptr<base::Gauge> connections(
      std::shared_ptr<void>(),
      &parts.metrics.gauge("tidings_net_connections", "Open connections, of whatever kind."));
  l.port_ = parts.config.port;
  for (size_t i = 0; i < parts.reactors.size(); ++i) {
    auto& gateway = parts.gateways.gateway(i);
    l.apis_.push_back(std::make_unique<api::Api>(
        api::Api::Parts{.gateway = gateway,
                        .accounts = parts.accounts,
                        .executor = *parts.reactors[i],
                        .clock = parts.clock,
                        .random = parts.random,
                        .limits = parts.config.limits,
                        .ready = parts.takes_writes,
                        .on_socket =
                            [&gateway](std::unique_ptr<net::WebSocket> socket) {
                              gateway.accept(embedded::websocket_transport(std::move(socket)));
                            },
                        .metrics = &parts.metrics,
                        .metrics_token = parts.config.metrics_token}));
    auto opened = net::HttpServer::listen(*parts.reactors[i], *l.apis_[i],
                                          {.host = parts.config.host,
                                           .port = l.port_,
                                           .websocket_path = "/v1/ws",
                                           .subprotocol = std::string(wire::subprotocol_json),
                                           .origins = parts.config.origins,
                                           .on_binary = {bad_frame.close_code, std::string(bad_frame.name)},
                                           .compression = parts.config.compression,
                                           .limits = &parts.config.limits,
                                           .joins = i > 0,
                                           .connections = connections,
                                           .tls = l.tls_,
                                           .proxies = parts.config.proxies,
                                           .forwarded_by = parts.config.forwarded_by});
    if (!opened) return base::fail(opened.error());
    l.listeners_.push_back(std::move(*opened));
    l.port_ = l.listeners_.back()->port();
  }
  return listening;
}

std::string Listening::address() const {
  return listen_text(parts_.config.host, port_);
}

void Listening::stop_accepting() {
  for (size_t i = 0; i < listeners_.size(); ++i) {
    parts_.reactors[i]->post([listener = listeners_[i].get()] { listener->stop_accepting(); });
  }
}

}  // namespace tidings::server
