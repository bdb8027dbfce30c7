#include "server/server.h"

#include <algorithm>
#include <atomic>
#include <future>
#include <thread>
#include <utility>
#include <vector>

#include "account/local_service.h"
#include "api/api.h"
#include "base/log_line.h"
#include "base/thread_executor.h"
#include "engine/embedded/embedded_log.h"
#include "engine/embedded/posix_disk.h"
#include "engine/embedded/rocks_store.h"
#include "engine/embedded/sqlite_accounts.h"
#include "engine/embedded/store_marks.h"
#include "engine/embedded/system_clock.h"
#include "engine/embedded/system_random.h"
#include "engine/embedded/websocket_transport.h"
#include "net/http.h"
#include "net/reactor.h"
#include "server/log_time.h"
#include "server/node.h"
#include "wire/frames.h"

namespace tidings::server {

namespace {

constexpr int reader_threads = 2;   // reads of the store
constexpr int hashing_threads = 1;  // Argon2id: 60 ms of a core each
constexpr auto interrupt_poll_interval = std::chrono::milliseconds(100);
constexpr auto drain_timeout = std::chrono::seconds(5);
constexpr auto certificate_interval = std::chrono::seconds(2);
constexpr auto close_timeout = std::chrono::seconds(10);  // a slow disk's last sync

// Runs `start(done)`; the future is ready once done was called, on whatever thread.
std::future<void> begin(const std::function<void(base::Task)>& start) {
  auto done = std::make_shared<std::promise<void>>();
  auto future = done->get_future();
  start([done] { done->set_value(); });
  return future;
}
bool wait_for(const std::function<void(base::Task)>& start, std::chrono::seconds timeout) {
  return begin(start).wait_for(timeout) == std::future_status::ready;
}

}  // namespace

// Members are in the order in which they are built; what is above outlives what is below.
struct Server::State {
  Config config;
  std::function<void(std::string)> fatal;
  base::Registry metrics;
  embedded::SystemClock clock;
  embedded::SystemRandom random;
  embedded::PosixDisk disk;
  std::unique_ptr<ports::DirectoryLock> lock;
  std::atomic<bool> ready{false};
  bool stopped = false;

  std::unique_ptr<embedded::RocksStore> store;
  std::unique_ptr<embedded::SqliteAccounts> accounts;

  std::unique_ptr<base::ThreadExecutor> log_thread, store_thread, readers, sql, hashing;
  std::vector<std::unique_ptr<net::Reactor>> reactors;

  std::unique_ptr<embedded::EmbeddedLog> log;
  std::unique_ptr<LogTime> log_time;  // the clock of all that is built below
  std::unique_ptr<account::LocalService> account_service;
  std::unique_ptr<Node> node;
  std::vector<std::unique_ptr<api::Api>> apis;
  std::shared_ptr<net::TlsIdentity> tls;
  std::vector<std::unique_ptr<net::HttpServer>> listeners;

  base::Status open_engines();
  base::Status build();
  base::Status listen();
  void watch_certificate();
  void stop_threads();
};

base::Status Server::State::open_engines() {
  if (auto made = disk.make_directory(config.data); !made) return made;
  auto locked = disk.lock(config.data);
  if (!locked) return base::fail(locked.error());
  lock = std::move(*locked);

  auto opened_store = embedded::RocksStore::open(config.data + "/store", metrics);
  if (!opened_store) return base::fail(opened_store.error());
  store = std::move(*opened_store);
  auto opened_accounts = embedded::SqliteAccounts::open(config.data + "/accounts.sqlite");
  if (!opened_accounts) return base::fail(opened_accounts.error());
  accounts = std::move(*opened_accounts);

  auto checkpoints = store->checkpoints();
  if (!checkpoints) return base::fail(checkpoints.error());
  auto low = store->low();
  if (!low) return base::fail(low.error());

  log_thread = std::make_unique<base::ThreadExecutor>("log");
  auto opened_log = embedded::EmbeddedLog::open({.disk = disk,
                                                 .directory = config.data + "/log",
                                                 .clock = clock,
                                                 .random = random,
                                                 .executor = *log_thread,
                                                 .limits = config.limits,
                                                 .metrics = metrics,
                                                 .fatal = fatal,
                                                 .known_below = embedded::known_below(*checkpoints, *low),
                                                 .verify_from = *low,
                                                 .segment_bytes = config.segment_bytes,
                                                 .free_bytes_min = config.free_bytes_min,
                                                 .doctor = "tidings doctor --data " + config.data});
  if (!opened_log) return base::fail(opened_log.error());
  log = std::move(*opened_log);
  log_time = std::make_unique<LogTime>(*log, clock);
  return {};
}

base::Status Server::State::build() {
  const auto cores = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  const int count = config.shards > 0 ? config.shards : cores;
  store_thread = std::make_unique<base::ThreadExecutor>("store");
  readers = std::make_unique<base::ThreadExecutor>("reader", reader_threads);
  sql = std::make_unique<base::ThreadExecutor>("sql");
  hashing = std::make_unique<base::ThreadExecutor>("hashing", hashing_threads);
  std::vector<base::Executor*> shards;
  for (int i = 0; i < count; ++i) {
    reactors.push_back(std::make_unique<net::Reactor>("shard-" + std::to_string(i)));
    shards.push_back(reactors.back().get());
  }
  account_service = std::make_unique<account::LocalService>(
      account::LocalService::Parts{*accounts, *log_time, random, *shards[0], *sql, *hashing, config.limits,
                              account::HashCost{}, config.sign_up, &metrics});
  if (auto started = account_service->start(); !started) return started;
  auto made = Node::make({.shards = shards,
                          .store_executor = *store_thread,
                          .readers = *readers,
                          .clock = *log_time,
                          .random = random,
                          .log = *log,
                          .store = *store,
                          .accounts = *account_service,
                          .limits = config.limits,
                          .metrics = metrics,
                          .fatal = fatal});
  if (!made) return base::fail(made.error());
  node = std::move(*made);
  for (auto& reactor : reactors) reactor->start();
  return {};
}

base::Status Server::State::listen() {
  if (!config.tls_certificate.empty()) {
    auto loaded = net::TlsIdentity::load(config.tls_certificate, config.tls_key);
    if (!loaded) return base::fail(loaded.error());
    tls = std::move(*loaded);
    watch_certificate();
  }
  const auto& bad_frame = wire::row(wire::Code::bad_frame);
  const auto connections = std::make_shared<base::Gauge>();
  for (size_t i = 0; i < reactors.size(); ++i) {
    auto& gateway = node->gateway(i);
    apis.push_back(std::make_unique<api::Api>(
        api::Api::Parts{.gateway = gateway,
                        .accounts = *account_service,
                        .executor = *reactors[i],
                        .clock = *log_time,
                        .random = random,
                        .limits = config.limits,
                        .ready = [this] { return ready.load() && !log->refuses(); },
                        .on_socket =
                            [&gateway](std::unique_ptr<net::WebSocket> socket) {
                              gateway.accept(embedded::websocket_transport(std::move(socket)));
                            }}));
    auto listening =
        net::HttpServer::listen(*reactors[i], *apis[i],
                                {.host = config.host,
                                 .port = config.port,
                                 .websocket_path = "/v1/ws",
                                 .subprotocol = std::string(wire::subprotocol_json),
                                 .origins = config.origins,
                                 .on_binary = {bad_frame.close_code, std::string(bad_frame.name)},
                                 .limits = &config.limits,
                                 .joins = i > 0,
                                 .connections = connections,
                                 .tls = tls,
                                 .proxies = config.proxies,
                                 .forwarded_by = config.forwarded_by});
    if (!listening) return base::fail(listening.error());
    listeners.push_back(std::move(*listening));
    config.port = listeners.back()->port();
  }
  return {};
}

// On the readers, which may wait for a disk; their timers end with them.
void Server::State::watch_certificate() {
  readers->after(certificate_interval, [this] {
    const auto taken = tls->reload();
    if (!taken) {
      base::log_warning("the new certificate is not taken, the old one stays: {}", taken.error().sentence);
    } else if (*taken) {
      base::log_info("the certificate {} has changed and is taken", config.tls_certificate);
    }
    watch_certificate();
  });
}

void Server::State::stop_threads() {
  if (std::exchange(stopped, true)) return;
  for (auto& reactor : reactors) reactor->stop();
  for (auto* thread : {&hashing, &sql, &readers, &store_thread}) {
    if (*thread) (*thread)->stop();
  }
  if (log) wait_for([this](base::Task done) { log->close(std::move(done)); }, close_timeout);
  if (log_thread) log_thread->stop();
}

Server::Server(std::unique_ptr<State> state) : state_(std::move(state)) {}
Server::~Server() {
  state_->stop_threads();
}

base::Result<std::unique_ptr<Server>> Server::start(const Config& config,
                                                    std::function<void(std::string)> fatal,
                                                    const std::function<bool()>& interrupted) {
  auto state = std::make_unique<State>();
  State& s = *state;
  s.config = config;
  s.fatal = std::move(fatal);
  std::unique_ptr<Server> server(new Server(std::move(state)));
  if (auto status = s.open_engines(); !status) return base::fail(status.error());
  if (auto status = s.build(); !status) return base::fail(status.error());
  auto folded = begin([&s](base::Task done) { s.node->start(std::move(done)); });
  while (folded.wait_for(interrupt_poll_interval) != std::future_status::ready) {
    if (interrupted()) return base::failure("stopped while the log was being read; nothing is lost");
  }
  s.ready = true;
  if (auto status = s.listen(); !status) return base::fail(status.error());
  return server;
}

std::string Server::address() const {
  return listen_text(state_->config.host, state_->config.port);
}

base::Registry& Server::metrics() {
  return state_->metrics;
}

bool Server::stop() {
  State& s = *state_;
  s.ready = false;
  for (size_t i = 0; i < s.listeners.size(); ++i) {
    s.reactors[i]->post([listener = s.listeners[i].get()] { listener->stop_accepting(); });
  }
  const bool written = wait_for([&s](base::Task done) { s.node->drain(std::move(done)); }, drain_timeout);
  s.stop_threads();
  return written;
}

}  // namespace tidings::server
