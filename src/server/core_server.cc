#include "server/core_server.h"

#include <algorithm>
#include <atomic>
#include <thread>
#include <utility>
#include <vector>

#include "account/local_service.h"
#include "base/mutex.h"
#include "base/thread_executor.h"
#include "engine/embedded/embedded_log.h"
#include "engine/embedded/posix_disk.h"
#include "engine/embedded/rocks_store.h"
#include "engine/embedded/sqlite_accounts.h"
#include "engine/embedded/store_marks.h"
#include "engine/embedded/system_clock.h"
#include "engine/embedded/system_random.h"
#include "net/unix_stream.h"
#include "server/core_door.h"
#include "server/listening.h"
#include "server/log_time.h"
#include "server/node.h"
#include "server/operators_listening.h"
#include "server/waiting.h"

namespace tidings::server {

namespace {

constexpr int reader_threads = 2;                         // reads of the store
constexpr int hashing_threads = 1;                        // Argon2id: 60 ms of a core each
constexpr auto drain_timeout = std::chrono::seconds(5);   // beyond Limits::drain_window
constexpr auto close_timeout = std::chrono::seconds(10);  // a slow disk's last sync

// All lineages that the log has shown, and the door that has to be told of more.
class Lineages {
 public:
  void begin(std::vector<model::Lineage> known) {
    base::MutexLock lock(mutex_);
    all_ = std::move(known);
  }
  // The log's executor.
  void add(const model::Lineage& lineage) {
    base::MutexLock lock(mutex_);
    all_.push_back(lineage);
    if (door_) door_->on_lineage(lineage);
  }
  base::Result<std::unique_ptr<CoreDoor>> open(CoreDoor::Parts parts) {
    base::MutexLock lock(mutex_);
    auto door = CoreDoor::open(std::move(parts), all_);
    if (door) door_ = door->get();
    return door;
  }

 private:
  base::Mutex mutex_;
  std::vector<model::Lineage> all_ TIDINGS_GUARDED_BY(mutex_);
  CoreDoor* door_ TIDINGS_GUARDED_BY(mutex_) = nullptr;
};

}  // namespace

// Members are in the order in which they are built; what is above outlives what is below.
class CoreServer final : public Server {
 public:
  CoreServer(const Config& given, std::function<void(std::string)> when_fatal)
      : config(given), fatal(std::move(when_fatal)) {}
  ~CoreServer() override { stop_threads(); }

  base::Status start(const std::function<bool()>& interrupted);
  std::string address() const override { return listening ? listening->address() : ""; }
  base::Registry& metrics() override { return registry; }
  bool stop(const std::function<bool()>& interrupted) override;

 private:
  base::Status open_engines();
  base::Status build();
  void on_lineage(const model::Lineage& lineage);
  base::Status open_door();
  base::Status listen();
  void stop_threads();
  bool has_gateways() const { return config.role == Role::both; }
  CoreNode& core() { return node ? node->core() : *core_alone; }
  std::vector<net::Reactor*> all_reactors() const {
    std::vector<net::Reactor*> all;
    for (const auto& reactor : reactors) all.push_back(reactor.get());
    return all;
  }

  const Config config;
  const std::function<void(std::string)> fatal;
  base::Registry registry;
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
  Lineages lineages;
  std::unique_ptr<Node> node;  // one of both
  std::unique_ptr<CoreNode> core_alone;
  std::unique_ptr<CoreDoor> door;  // made and gone while `ready` is false
  std::unique_ptr<Listening> listening;
  OperatorsListening operators;
};

base::Status CoreServer::open_engines() {
  if (auto made = disk.make_directory(config.data); !made) return made;
  auto locked = disk.lock(config.data);
  if (!locked) return base::fail(locked.error());
  lock = std::move(*locked);

  auto opened_store = embedded::RocksStore::open(config.data + "/store", registry);
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
                                                 .metrics = registry,
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

base::Status CoreServer::build() {
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
                                   account::HashCost{}, config.sign_up, &registry});
  if (auto started = account_service->start(); !started) return started;
  if (has_gateways()) {
    auto made = Node::make({.shards = shards,
                            .store_executor = *store_thread,
                            .readers = *readers,
                            .clock = *log_time,
                            .random = random,
                            .log = *log,
                            .store = *store,
                            .accounts = *account_service,
                            .limits = config.limits,
                            .metrics = registry,
                            .fatal = fatal,
                            .announce =
                                [this](const gateway::DeviceHello& hello) {
                                  if (ready && door) door->announce(hello);
                                },
                            .on_lineage = [this](const auto& lineage) { lineages.add(lineage); }});
    if (!made) return base::fail(made.error());
    node = std::move(*made);
  } else {
    auto made = CoreNode::make(
        {shards, *store_thread, *readers, *log_time, random, *log, *store, config.limits, registry, fatal});
    if (!made) return base::fail(made.error());
    core_alone = std::move(*made);
  }
  lineages.begin(core().known_lineages());
  CoreDoor::show_metrics(registry);
  for (auto& reactor : reactors) reactor->start();
  return {};
}

base::Status CoreServer::open_door() {
  if (config.core.empty()) return {};
  const auto shards = all_reactors();
  CoreDoor::Parts parts{.path = config.core,
                        .listen = net::listen_at(*reactors.front(), config.core),
                        .shards = {shards.begin(), shards.end()},
                        .core = core(),
                        .accounts = *account_service,
                        .log = *log,
                        .limits = config.limits,
                        .metrics = registry};
  if (node) {
    parts.on_device_hello = [this](const gateway::DeviceHello& hello) {
      node->gateways().on_device_hello(hello);
    };
  }
  base::Status status;
  begin([&](base::Task done) {
    reactors.front()->post([&, parts = std::move(parts), done = std::move(done)]() mutable {
      auto opened = lineages.open(std::move(parts));
      if (opened) {
        door = std::move(*opened);
      } else {
        status = base::failure("gateways cannot come: " + opened.error().sentence);
      }
      done();
    });
  }).wait();
  return status;
}

base::Status CoreServer::listen() {
  const auto takes_writes = [this] { return ready.load() && !log->refuses(); };
  if (auto status = operators.open(*reactors.front(), config, registry, takes_writes); !status) return status;
  if (!has_gateways()) return {};
  auto opened = Listening::open({all_reactors(), node->gateways(), *account_service, *log_time, random,
                                 config, registry, takes_writes});
  if (!opened) return base::fail(opened.error());
  listening = std::move(*opened);
  return {};
}

void CoreServer::stop_threads() {
  if (std::exchange(stopped, true)) return;
  for (auto& reactor : reactors) reactor->stop();
  for (auto* thread : {&hashing, &sql, &readers, &store_thread}) {
    if (*thread) (*thread)->stop();
  }
  if (log) wait_for([this](base::Task done) { log->close(std::move(done)); }, close_timeout);
  if (log_thread) log_thread->stop();
}

base::Status CoreServer::start(const std::function<bool()>& interrupted) {
  if (auto status = open_engines(); !status) return status;
  if (auto status = build(); !status) return status;
  const auto folded = begin([this](base::Task done) {
    if (node) return node->start(std::move(done));
    core_alone->start(std::move(done), [this](const auto& lineage) { lineages.add(lineage); });
  });
  if (!wait_until_interrupted(folded, interrupted))
    return base::failure("stopped while the log was being read; nothing is lost");
  if (auto status = open_door(); !status) return status;
  ready = true;
  return listen();
}

bool CoreServer::stop(const std::function<bool()>& interrupted) {
  ready = false;
  if (listening) listening->stop_accepting();
  const bool written = wait_for(
      [this](base::Task done) { node ? node->drain(std::move(done)) : core_alone->flush(std::move(done)); },
      config.limits.drain_window + drain_timeout, interrupted,
      [this] {
        if (node) node->gateways().hurry();
      });
  stop_threads();
  return written;
}

base::Result<std::unique_ptr<Server>> start_core(const Config& config, std::function<void(std::string)> fatal,
                                                 const std::function<bool()>& interrupted) {
  auto server = std::make_unique<CoreServer>(config, std::move(fatal));
  if (auto status = server->start(interrupted); !status) return base::fail(status.error());
  return std::unique_ptr<Server>(std::move(server));
}

}  // namespace tidings::server
