#include "cli/doctor.h"

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "cli/doctor_text.h"
#include "cli/status.h"

namespace tidings::cli {

namespace {

struct Options {
  std::string data = "./tidings-data";
  bool cut = false;
  bool json = false;
};

int failed(const std::string& sentence) {
  std::fprintf(stderr, "tidings: %s\n", sentence.c_str());
  return status_failed;
}

int doctor(const Options& options) {
  auto found = server::Doctor::examine(options.data);
  if (!found) return failed(found.error().sentence);
  server::Doctor& doctor = **found;
  // Copied: a cut that goes on with an unfinished one reads anew.
  const server::Diagnosis diagnosis = doctor.diagnosis();
  const char* name = std::getenv("TIDINGS_COMMAND");
  const std::string command = std::string(name ? name : "tidings") + " doctor --data " + options.data;
  const bool will_cut = options.cut && diagnosis.damage;
  if (!options.json) {
    std::fputs(diagnosis_text(diagnosis, command, will_cut).c_str(), stdout);
    std::fflush(stdout);
  }
  std::optional<server::Doctor::Cut> cut;
  if (will_cut) {
    auto done = doctor.cut();
    if (!done) {
      return failed("the cut is not finished: " + done.error().sentence +
                    "; the server refuses to start until it is. Call it again");
    }
    cut = *done;
  }
  if (options.json) {
    std::fputs(diagnosis_json(diagnosis, cut).c_str(), stdout);
  } else if (cut) {
    std::fputs(cut_text(*cut).c_str(), stdout);
  }
  return diagnosis.damage && !cut ? status_failed : status_ok;
}

}  // namespace

void add_doctor(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<Options>();
  auto* command = app.add_subcommand("doctor", "Look at the log of a stopped server, and mend it if told to");
  command->add_option("--data", options->data, "the server's data directory, by default ./tidings-data");
  command->add_flag(
      "--cut", options->cut,
      "cut a damaged log at the last group before the damage; moves files aside, deletes nothing");
  command->add_flag("--json", options->json, "one JSON object instead of text");
  command->footer(
      "Status 0: a server would start. 1: the log is damaged (and was not cut), or it cannot be read.");
  command->callback([options, &exit_code] { exit_code = doctor(*options); });
}

}  // namespace tidings::cli
