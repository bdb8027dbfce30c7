#include "cli/chat_login.h"

#include <cstdio>
#include <cstdlib>
#include <future>
#include <memory>
#include <optional>

#include <simdjson.h>
#include <termios.h>
#include <unistd.h>

#include "client/cpp/rest.h"
#include "client/cpp/system.h"

namespace tidings::cli {

namespace {

constexpr size_t password_bytes_min = 8;
constexpr int tries_max = 3;

// Asks on the terminal without echo. Nullopt: Ctrl-C or Ctrl-D.
std::optional<std::string> ask_password(const std::string& prompt) {
  termios before{};
  if (::tcgetattr(STDIN_FILENO, &before) != 0) return std::nullopt;
  termios quiet = before;
  quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO | ISIG | ICANON);
  // The flush comes before the prompt: what is typed as soon as it is seen counts.
  ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
  std::fputs(prompt.c_str(), stderr);
  std::optional<std::string> password = "";
  for (;;) {
    char c = 0;
    if (::read(STDIN_FILENO, &c, 1) != 1 || c == 3 || c == 4) {
      password.reset();
      break;
    }
    if (c == '\n' || c == '\r') break;
    if (c == 0x7f || c == '\b') {
      while (!password->empty() && (password->back() & 0xc0) == 0x80) password->pop_back();
      if (!password->empty()) password->pop_back();
    } else {
      password->push_back(c);
    }
  }
  ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
  std::fputs("\n", stderr);
  return password;
}

// 100 random bits in four groups that are easy to copy by hand.
std::string make_password() {
  static constexpr char letters[] = "abcdefghjkmnpqrstuvwxyz023456789";
  client::SystemRandom random;
  std::string out;
  for (int i = 0; i < 20; ++i) {
    if (i > 0 && i % 5 == 0) out.push_back('-');
    out.push_back(letters[random.below(sizeof letters - 1)]);
  }
  return out;
}

template <class T>
using RestResult = base::Result<T, client::RestProblem>;

// Runs one call on the reactor and waits for it.
template <class T>
RestResult<T> wait_for(net::Reactor& reactor, const std::function<void(client::RestDone<T>)>& call) {
  auto promise = std::make_shared<std::promise<RestResult<T>>>();
  auto answer = promise->get_future();
  reactor.post(
      [&call, promise] { call([promise](RestResult<T> result) { promise->set_value(std::move(result)); }); });
  return answer.get();
}

LogInFailure failure_of(const client::RestProblem& problem, const client::Address& address) {
  if (!problem.code) {
    return {status_unreachable, "Nobody answers at " + client::to_text(address) + ": " + problem.sentence};
  }
  return {status_refused, problem.sentence};
}

}  // namespace

base::Result<void, LogInFailure> log_in(net::Reactor& reactor, ChatProfile& profile, bool ask,
                                        const std::function<void(const std::string&)>& show_password) {
  client::Rest rest(reactor, profile.address, "");
  const char* given = std::getenv("TIDINGS_PASSWORD");
  for (int tries = 1;; ++tries) {
    std::optional<std::string> password;
    // Of a sign-up whose answer was lost: the account may be there, under a password that nobody has seen.
    const bool resumed = !profile.made_password.empty() && !(given && *given);
    if (resumed) {
      password = profile.made_password;
    } else if (given) {
      password = given;
    } else if (ask) {
      password = ask_password(tries == 1 ? "Password for " + profile.handle +
                                               " (empty: a new account, one is made): "
                                         : "Password for " + profile.handle + ": ");
      if (!password) return base::fail(LogInFailure{status_failed, "Left without logging in."});
    } else {
      return base::fail(LogInFailure{status_usage, "A password is needed: set TIDINGS_PASSWORD."});
    }
    const bool can_ask_again = !given && tries < tries_max;
    const bool made = resumed || password->empty();
    if (password->empty()) password = make_password();
    if (password->size() < password_bytes_min || !simdjson::validate_utf8(*password)) {
      const std::string sentence = "A password has at least 8 characters.";
      if (!can_ask_again) return base::fail(LogInFailure{status_refused, sentence});
      std::fprintf(stderr, "%s\n", sentence.c_str());
      continue;
    }
    if (made && !resumed) {
      profile.made_password = *password;
      if (auto saved = profile.save(); !saved) {
        return base::fail(LogInFailure{status_failed, saved.error().sentence});
      }
    }
    const auto signed_up = wait_for<client::PersonInfo>(reactor, [&](auto done) {
      rest.sign_up(profile.handle, *password, profile.handle, std::move(done));
    });
    const bool exists = !signed_up.ok() && signed_up.error().code == wire::Code::exists;
    if (!signed_up.ok() && !exists) return base::fail(failure_of(signed_up.error(), profile.address));
    const auto taken = [&]() -> std::optional<LogInFailure> {
      profile.made_password.clear();
      if (auto saved = profile.save(); !saved) return LogInFailure{status_failed, saved.error().sentence};
      const std::string sentence = "There is a " + profile.handle + " already: the password is needed.";
      if (!can_ask_again) return LogInFailure{status_refused, sentence};
      std::fprintf(stderr, "%s\n", sentence.c_str());
      return std::nullopt;
    };
    if (exists && made && !resumed) {
      if (auto failure = taken()) return base::fail(*failure);
      continue;
    }
    // Shown before anything else can go wrong: it exists nowhere else.
    if (made && !exists) show_password(*password);
    const auto logged_in = wait_for<client::LogIn>(
        reactor, [&](auto done) { rest.log_in(profile.handle, *password, "tidings chat", std::move(done)); });
    if (!logged_in.ok()) {
      if (logged_in.error().code == wire::Code::unauthenticated && resumed) {
        if (auto failure = taken()) return base::fail(*failure);
        continue;
      }
      if (logged_in.error().code == wire::Code::unauthenticated) {
        const std::string sentence = "This is not the password of " + profile.handle + ".";
        if (!can_ask_again) return base::fail(LogInFailure{status_refused, sentence});
        std::fprintf(stderr, "%s\n", sentence.c_str());
        continue;
      }
      return base::fail(failure_of(logged_in.error(), profile.address));
    }
    if (made && exists) show_password(*password);
    profile.token = logged_in->token;
    profile.made_password.clear();
    if (profile.user != logged_in->user) profile.people.clear();
    profile.user = logged_in->user;
    if (auto saved = profile.save(); !saved) {
      return base::fail(LogInFailure{status_failed, saved.error().sentence});
    }
    return {};
  }
}

}  // namespace tidings::cli
