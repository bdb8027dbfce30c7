// The `tidings` command. Each subcommand adds itself to the app in one line below; its callback sets the
// status.
#include <CLI/CLI.hpp>

#include "cli/account.h"
#include "cli/chat.h"
#include "cli/doctor.h"
#include "cli/serve.h"
#include "cli/status.h"

int main(int argc, char** argv) {
  CLI::App app("Tidings: a chat server and its clients in one program.", "tidings");
  app.require_subcommand(1);
  int status = tidings::cli::status_ok;
  tidings::cli::add_serve(app, status);
  tidings::cli::add_chat(app, status);
  tidings::cli::add_doctor(app, status);
  tidings::cli::add_account(app, status);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? tidings::cli::status_ok : tidings::cli::status_usage;
  }
  return status;
}
