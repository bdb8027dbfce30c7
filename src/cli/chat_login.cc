#include "cli/chat_login.h"

#include <cstdio>
#include <cstdlib>
#include <future>
#include <memory>
#include <optional>

#include <simdjson.h>

#include "cli/password_input.h"
#include "client/cpp/rest.h"
#include "client/cpp/system.h"

namespace tidings::cli {

namespace {

constexpr size_t password_bytes_min = 8;
constexpr int tries_max = 3;
constexpr auto refresh_before = std::chrono::hours(1);

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
                                        const std::function<void(const std::string&)>& show_password,
                                        const std::string& invite) {
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
      rest.sign_up(profile.handle, *password, profile.handle, std::move(done), invite);
    });
    // A server that takes nobody new does not tell who exists; a password shows it.
    const bool barred = !signed_up.ok() && signed_up.error().code == wire::Code::forbidden;
    if (barred && made && !resumed) {
      profile.made_password.clear();
      (void)profile.save();
      return base::fail(failure_of(signed_up.error(), profile.address));
    }
    const bool exists = barred || (!signed_up.ok() && signed_up.error().code == wire::Code::exists);
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
    const auto logged_in = wait_for<client::LogIn>(reactor, [&](auto done) {
      rest.log_in(profile.handle, *password, profile.device.empty() ? "tidings chat" : profile.device,
                  std::move(done));
    });
    if (!logged_in.ok()) {
      if (logged_in.error().code == wire::Code::unauthenticated && resumed) {
        if (auto failure = taken()) return base::fail(*failure);
        continue;
      }
      if (logged_in.error().code == wire::Code::unauthenticated) {
        const std::string sentence =
            "This is not the password of " + profile.handle + "." +
            (barred ? " If there is nobody of that name yet: " + signed_up.error().sentence : "");
        if (!can_ask_again) return base::fail(LogInFailure{status_refused, sentence});
        std::fprintf(stderr, "%s\n", sentence.c_str());
        continue;
      }
      return base::fail(failure_of(logged_in.error(), profile.address));
    }
    if (made && exists) show_password(*password);
    profile.made_password.clear();
    if (profile.user != logged_in->user) profile.people.clear();
    profile.user = logged_in->user;
    if (auto saved = profile.keep(*logged_in); !saved) {
      return base::fail(LogInFailure{status_failed, saved.error().sentence});
    }
    return {};
  }
}

base::Status refresh_if_due(net::Reactor& reactor, ChatProfile& profile, base::WallTime now) {
  if (profile.token.empty() || profile.refresh.empty()) return {};
  if (now + refresh_before < profile.expires) return {};
  client::Rest rest(reactor, profile.address, "");
  const auto refreshed =
      wait_for<client::LogIn>(reactor, [&](auto done) { rest.refresh(profile.refresh, std::move(done)); });
  if (refreshed.ok()) return profile.keep(*refreshed);
  if (refreshed.error().code == wire::Code::unauthenticated ||
      refreshed.error().code == wire::Code::token_expired) {
    profile.forget_log_in();
    return profile.save();
  }
  return {};
}

}  // namespace tidings::cli
