// tidings_faults: the real program under real faults. The last line printed is the figure.
#include <CLI/CLI.hpp>
#include <spdlog/spdlog.h>

#include "test/faults/runs.h"

int main(int argc, char** argv) {
  using tidings::faults::Options;
  Options options;
  int status = 0;
  CLI::App app{"Runs the real server under faults and judges what its clients saw."};
  app.require_subcommand(1);
  const auto add = [&](const char* name, const char* about, uint64_t count, int (*run)(const Options&)) {
    auto* command = app.add_subcommand(name, about);
    command->add_option("--binary", options.binary, "the tidings program")->required();
    command->add_option("--count", options.count, "how many");
    command->add_option("--seed", options.seed, "of what is random");
    command->add_flag("--json", options.json, "one JSON object on one line");
    command->callback([&options, &status, count, run, command] {
      if (command->count("--count") == 0) options.count = count;
      status = run(options);
    });
  };
  spdlog::set_level(spdlog::level::err);
  add("kill", "kill -9 at random under 12 clients x 200 messages a second", 10, tidings::faults::run_kill);
  add("copyback", "a data directory copied aside at 90, used to 100, copied back, used to 95", 1,
      tidings::faults::run_copy_back);
  add("duplicates", "so many messages, a restart, all their client ids again", 1000,
      tidings::faults::run_duplicates);

  std::string amount = "usual", only;
  bool quick = false, full = false;
  const auto add_amounts = [&](const char* name, const char* about, auto run) {
    auto* command = app.add_subcommand(name, about);
    command->add_option("--binary", options.binary, "the tidings program")->required();
    command->add_option("--seed", options.seed, "of what is random");
    command->add_flag("--quick", quick, "a small part of the cases");
    command->add_flag("--full", full, "every case");
    command->add_flag("--json", options.json, "one JSON object on one line");
    command->callback([&, run] {
      if (full || quick) amount = full ? "full" : "quick";
      status = run();
    });
    return command;
  };
  auto* disk = add_amounts("disk", "EIO, kills at system calls, a full disk, a log that is cut or flipped",
                           [&] { return tidings::faults::run_disk(options, amount, only); });
  options.count = 0;
  disk->add_option("--count", options.count,
                   "kills of each call, cuts and flips, instead of the usual number");
  disk->add_option("--only", only, "sync, calls, start, full, cut, flip; several with commas");
  add_amounts("clock", "the server's clock jumps",
              [&] { return tidings::faults::run_clock(options, amount); });
  add_amounts("net", "half-open connections, one-way partitions, loss, stalls, cuts in the middle of frames",
              [&] { return tidings::faults::run_net(options, amount); });
  auto* slow =
      add_amounts("slow", "clients that stop reading, in a group of 500 at 50 messages a second", [&] {
        if (options.count == 0) options.count = 2000;
        return tidings::faults::run_slow(options, amount);
      });
  slow->add_option("--count", options.count, "how many slow clients");
  CLI11_PARSE(app, argc, argv);
  return status;
}
