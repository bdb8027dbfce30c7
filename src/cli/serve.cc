#include "cli/serve.h"

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>

#include <signal.h>
#include <unistd.h>

#include "base/log_line.h"
#include "server/server.h"

extern char** environ;  // NOLINT: POSIX declares no header for it

namespace tidings::cli {

namespace {

struct Options {
  std::string listen, data, config, shards, sign_up, role, core, log_format, log_level, profile;
  std::vector<std::string> set;
};

std::map<std::string, std::string> environment() {
  std::map<std::string, std::string> all;
  for (char** entry = environ; *entry; ++entry) {
    const std::string_view text(*entry);
    const auto equals = text.find('=');
    if (equals != std::string_view::npos) all.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return all;
}

base::Result<server::Config> configure(const Options& options) {
  server::ConfigSources sources{options.config, environment(), {}};
  for (const auto& pair : options.set) {
    const auto equals = pair.find('=');
    if (equals == std::string::npos) return base::failure("--set takes KEY=VALUE, not \"" + pair + "\"");
    sources.flags.emplace_back(pair.substr(0, equals), pair.substr(equals + 1));
  }
  const auto flag = [&](const char* key, const std::string& value) {
    if (!value.empty()) sources.flags.emplace_back(key, value);
  };
  flag("server.role", options.role);
  flag("server.core", options.core);
  flag("server.listen", options.listen);
  flag("server.shards", options.shards);
  flag("storage.path", options.data);
  flag("accounts.sign_up", options.sign_up);
  flag("server.log_format", options.log_format);
  flag("server.log_level", options.log_level);
  flag("limits.profile", options.profile);
  return server::read_config(sources);
}

// How people call this program: the front door of a checkout names itself.
std::string command_name() {
  const char* name = std::getenv("TIDINGS_COMMAND");
  return name ? name : "tidings";
}

void print_welcome(const server::Server& server, const server::Config& config) {
  if (config.log_format == base::LogFormat::json) {
    return config.role == server::Role::core
               ? base::log_info("the core is ready for gateways at {}", config.core)
               : base::log_info("listening on {}", server.address());
  }
  if (config.role == server::Role::core) {
    std::printf("the core is ready for gateways\n");
    std::printf("  socket               %s\n", config.core.c_str());
    std::printf("  data                 %s\n", config.data.c_str());
    std::fflush(stdout);
    return;
  }
  const bool usual = server.address() == "127.0.0.1:65100";
  const std::string where = usual ? "" : " --server " + server.address();
  std::printf("listening on %s\n", server.address().c_str());
  const char* const scheme = config.tls_certificate.empty() ? "http" : "https";
  std::printf("  REST and WebSocket   %s://%s\n", scheme, server.address().c_str());
  if (config.role == server::Role::gateway) {
    std::printf("  core                 %s\n\n", config.core.c_str());
  } else {
    if (!config.core.empty()) std::printf("  gateways             %s\n", config.core.c_str());
    std::printf("  data                 %s\n\n", config.data.c_str());
  }
  std::printf("Send a first message from two other terminals:\n");
  std::printf("  %s chat --as ann%s\n", command_name().c_str(), where.c_str());
  std::printf("  %s chat --as bob ann%s\n\n", command_name().c_str(), where.c_str());
  std::fflush(stdout);
}

// What happens when an acknowledged message could be lost by going on: nobody is answered, the next start
// replays the log.
[[noreturn]] void end_now(const std::string& sentence) {
  std::fprintf(stderr, "tidings: %s\n", sentence.c_str());
  _exit(1);
}

int serve(const Options& options) {
  const auto config = configure(options);
  if (!config) {
    std::fprintf(stderr, "tidings: %s\n", config.error().sentence.c_str());
    return 2;
  }
  base::start_log(config->log_format, config->log_level);
  // Blocked before any thread starts, so that all inherit it and only sigwait() takes them.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  // Who looks at a file or a pipe sees at once what it waits for.
  spdlog::flush_on(spdlog::level::info);

  const auto interrupted = [&signals] {
    const timespec at_once{};
    return sigtimedwait(&signals, nullptr, &at_once) > 0;
  };
  auto server = server::Server::start(*config, end_now, interrupted);
  if (!server) {
    std::fprintf(stderr, "tidings: %s\n", server.error().sentence.c_str());
    return 1;
  }
  print_welcome(**server, *config);
  int received = 0;
  sigwait(&signals, &received);
  base::log_info("stopping; once more to hurry");
  if ((*server)->stop(interrupted)) {
    base::log_info("stopped; everything is written");
  } else {
    base::log_warning("stopped before everything was written; the log has it, and the next start repeats it");
  }
  return 0;
}

}  // namespace

void add_serve(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<Options>();
  auto* command = app.add_subcommand("serve", "Run the server (Ctrl-C ends it cleanly)");
  command->add_option("--listen", options->listen, "HOST:PORT, by default 127.0.0.1:65100");
  command->add_option("--data", options->data,
                      "directory of everything that is kept, by default ./tidings-data");
  command->add_option("--role", options->role,
                      "which part of the server this is: both (default), core or gateway");
  command->add_option("--core", options->core, "Unix socket between core and gateway processes");
  command->add_option("--config", options->config, "TOML file");
  command->add_option("--shards", options->shards, "reactor threads, by default one per core");
  command->add_option("--sign-up", options->sign_up,
                      "who may make an account: open (default), invite or closed");
  command->add_option("--log-format", options->log_format, "text (default) or json");
  command->add_option("--log-level", options->log_level, "debug, info (default), warning or error");
  command->add_option("--limits-profile", options->profile,
                      "normal (default), or bench, which lifts all rates");
  command->add_option("--set", options->set, "any setting as KEY=VALUE, for example limits.text=32KiB");
  command->footer("Example: tidings serve --data /var/lib/tidings --listen 0.0.0.0:65100");
  command->callback([options, &exit_code] { exit_code = serve(*options); });
}

}  // namespace tidings::cli
