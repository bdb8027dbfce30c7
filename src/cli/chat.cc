#include "cli/chat.h"

#include <cstdio>
#include <cstdlib>
#include <future>
#include <memory>

#include <unistd.h>

#include "cli/chat_input.h"
#include "cli/chat_login.h"
#include "cli/chat_profile.h"
#include "cli/chat_session.h"
#include "cli/chat_view.h"
#include "cli/status.h"
#include "client/cpp/outbox_file.h"
#include "client/cpp/system.h"

namespace tidings::cli {

namespace {

struct Options {
  std::string as, open, server, ca, profiles, invite, device;
  bool json = false;
};

int complain(const Options& options, ChatView* view, Status status, const std::string& sentence) {
  if (options.json && view) {
    view->error(sentence);
  } else {
    std::fprintf(stderr, "%s\n", sentence.c_str());
  }
  return status;
}

void on_reactor(net::Reactor& reactor, const std::function<void()>& work) {
  std::promise<void> done;
  reactor.post([&] {
    work();
    done.set_value();
  });
  done.get_future().wait();
}

int talk(const Options& options, const ChatProfile& profile, net::Reactor& reactor,
         client::OutboxStore& outbox, ChatView& view) {
  ChatInput input;
  int status = status_ok;
  std::unique_ptr<ChatSession> session;
  base::Status started;
  // A script may pipe its lines in at once; a person at a terminal does not wait for what is pending when
  // leaving.
  const bool patient = options.json || ::isatty(STDIN_FILENO) == 0;
  on_reactor(reactor, [&] {
    session = std::make_unique<ChatSession>(
        ChatSession::Parts{reactor, view, outbox, profile, options.json, patient, [&](Status left_with) {
                             status = left_with;
                             input.stop();
                           }});
    if (!options.open.empty()) session->command(parse_line("/open " + options.open));
    started = session->start();
  });
  if (!started) {
    on_reactor(reactor, [&] { session.reset(); });
    return complain(options, &view, status_failed, started.error().sentence);
  }
  const auto parse = options.json ? parse_json_line : parse_line;
  const bool interrupted = input.run(
      [&](const std::string& line) {
        reactor.post([&session, command = parse(line)] { session->command(command); });
      },
      [&] { reactor.post([&session] { session->input_ended(); }); });
  on_reactor(reactor, [&] {
    if (interrupted && status == status_ok) status = session->interrupted();
    session.reset();
  });
  return status;
}

int chat(const Options& options) {
  if (!client::is_handle(options.as)) {
    std::fprintf(stderr, "A name has 3 to 32 of the characters a-z, 0-9 and _.\n");
    return status_usage;
  }
  if (!options.device.empty() && !is_device_name(options.device)) {
    std::fprintf(stderr, "The name of a device has 1 to 32 of the characters a-z, A-Z, 0-9, - and _.\n");
    return status_usage;
  }
  client::Address address;
  if (!options.ca.empty() && !options.server.starts_with("wss://") &&
      !options.server.starts_with("https://")) {
    std::fprintf(stderr, "--ca is for --server wss://HOST:PORT.\n");
    return status_usage;
  }
  if (!options.server.empty()) {
    auto parsed = client::parse_address(options.server, options.ca);
    if (!parsed) {
      std::fprintf(stderr, "%s\n", parsed.error().sentence.c_str());
      return status_usage;
    }
    address = *parsed;
  }
  const bool colours = ::isatty(STDOUT_FILENO) != 0 && !std::getenv("NO_COLOR");
  const auto view = options.json ? make_json_view(options.as, client::to_text(address))
                                 : make_lines_view(options.as, client::to_text(address), colours);
  std::string directory = options.profiles;
  if (directory.empty()) {
    auto found = default_profile_directory();
    if (!found) return complain(options, view.get(), status_failed, found.error().sentence);
    directory = *found;
  }
  auto profile = load_profile(directory, options.as, address, options.device);
  if (!profile) return complain(options, view.get(), status_failed, profile.error().sentence);
  auto outbox = client::OutboxFile::open(profile->outbox_path);
  if (!outbox) return complain(options, view.get(), status_failed, outbox.error().sentence);

  block_signals();
  net::Reactor reactor("chat");
  reactor.start();
  unblock_signals();
  if (auto kept = refresh_if_due(reactor, *profile, client::SystemClock().wall()); !kept) {
    reactor.stop();
    return complain(options, view.get(), status_failed, kept.error().sentence);
  }
  if (profile->token.empty()) {
    const bool ask = !options.json && ::isatty(STDIN_FILENO) != 0;
    const auto logged_in = log_in(
        reactor, *profile, ask, [&](const std::string& password) { view->password(password); },
        options.invite);
    if (!logged_in.ok()) {
      reactor.stop();
      return complain(options, view.get(), logged_in.error().status, logged_in.error().sentence);
    }
  }
  block_signals();
  const int status = talk(options, *profile, reactor, **outbox, *view);
  reactor.stop();
  return status;
}

}  // namespace

void add_chat(CLI::App& app, int& status) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "chat",
      "Talk to people. Without a log-in it asks for a password and makes an account if the name is free.\n"
      "Example: tidings chat --as ann bob");
  command->add_option("--as", options->as, "your name (handle)")->required();
  command->add_option("name", options->open, "a person, or the title of a group, to talk to at once");
  command->add_option("--device", options->device, "another device of yours, with a log-in of its own")
      ->type_name("NAME");
  command->add_option("--server", options->server, "where the server is (default 127.0.0.1:65100)")
      ->type_name("[wss://]HOST:PORT");
  command->add_option("--ca", options->ca, "with wss://: believe these certificates, not those of the system")
      ->type_name("FILE");
  command->add_option("--profiles", options->profiles, "directory of profiles (default ~/.config/tidings)")
      ->type_name("DIR");
  command->add_option("--invite", options->invite, "for a new account on a server that wants an invite")
      ->type_name("CODE");
  command->add_flag("--json", options->json,
                    "one JSON object per line in and out; the password is TIDINGS_PASSWORD");
  command->callback([options, &status] { status = chat(*options); });
}

}  // namespace tidings::cli
