#include "cli/account.h"

#include <cstdio>
#include <memory>

#include <sodium.h>
#include <unistd.h>

#include "account/password.h"
#include "account/text_rules.h"
#include "cli/chat_text.h"
#include "cli/password_input.h"
#include "cli/status.h"
#include "server/people.h"

namespace tidings::cli {

namespace {

struct Options {
  std::string handle, name, data = "./tidings-data";
};

int complain(Status status, const std::string& sentence) {
  std::fprintf(stderr, "%s\n", sentence.c_str());
  return status;
}

std::optional<std::string> get_password(const std::string& handle) {
  if (::isatty(STDIN_FILENO) == 0) return read_password_line();
  auto password = ask_password("Password for " + handle + ": ");
  if (!password) return std::nullopt;
  const auto again = ask_password("The same again: ");
  if (!again) return std::nullopt;
  if (*again == *password) return password;
  std::fprintf(stderr, "These are two different ones.\n");
  return std::nullopt;
}

int add(const Options& options) {
  const std::string name = options.name.empty() ? options.handle : options.name;
  if (!account::is_handle(options.handle))
    return complain(status_usage, "A handle is 3 to 32 characters of a-z, 0-9 and _.");
  if (!account::is_name(name, 1))
    return complain(status_usage, "A display name is 1 to 100 characters of UTF-8.");
  auto password = get_password(options.handle);
  if (!password) return complain(status_failed, "Without a password no account is made.");
  // JSON, by which people log in, carries nothing else.
  if (!account::is_password(*password) || !account::utf8_characters(*password))
    return complain(status_usage, "A password is 8 to 1,024 bytes of UTF-8.");
  if (sodium_init() < 0) return complain(status_failed, "libsodium cannot start.");
  auto hash = account::hash_password(std::move(*password), {});
  if (!hash) return complain(status_failed, "There is not enough memory to hash a password.");

  auto accounts = server::open_accounts(options.data);
  if (!accounts) return complain(status_failed, accounts.error().sentence);
  const ports::Account account{server::new_user_id(), options.handle, name, std::move(*hash)};
  const auto added = (*accounts)->add_account(account);
  if (!added && added.error().code == wire::Code::exists)
    return complain(status_refused, "There is a " + options.handle + " already.");
  if (!added) return complain(status_failed, "The account could not be written.");
  std::printf("%s %s\n", options.handle.c_str(), model::to_text(account.user).c_str());
  return status_ok;
}

int list(const Options& options) {
  const auto listed = server::list_accounts(options.data, [](const ports::Account& account) {
    std::printf("%s\t%s\t%s\n", account.handle.c_str(), model::to_text(account.user).c_str(),
                printable(account.display_name).c_str());
  });
  return listed ? status_ok : complain(status_failed, listed.error().sentence);
}

void add_data_option(CLI::App& command, Options& options) {
  command.add_option("--data", options.data, "the server's data directory (default ./tidings-data)")
      ->type_name("DIR");
}

}  // namespace

void add_account(CLI::App& app, int& status) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("account", "Make and list accounts, also while the server runs on the directory");
  command->require_subcommand(1);
  CLI::App* adding =
      command->add_subcommand("add",
                              "Make an account; the password is asked for, or read from standard input.\n"
                              "Example: tidings account add ann --data /var/lib/tidings");
  adding->add_option("handle", options->handle, "3 to 32 characters of a-z, 0-9 and _")->required();
  adding->add_option("--name", options->name, "what others see (default: the handle)");
  add_data_option(*adding, *options);
  adding->callback([options, &status] { status = add(*options); });
  CLI::App* listing = command->add_subcommand("list", "Handle, id and display name of everybody");
  add_data_option(*listing, *options);
  listing->callback([options, &status] { status = list(*options); });
}

}  // namespace tidings::cli
