// Expected failures as values: a function that may fail returns Result<T, E>, and nobody may drop it unread.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "base/check.h"

namespace tidings::base {

// A failure that only people read: one plain sentence that says what went wrong and, where there is one, the
// way out.
struct Failure {
  std::string sentence;
};

// Wraps an error so that `return fail(...)` converts to any Result with that error type.
template <class E>
struct Fail {
  E error;
};
template <class E>
[[nodiscard]] Fail<std::decay_t<E>> fail(E&& error) {
  return {std::forward<E>(error)};
}
[[nodiscard]] inline Fail<Failure> failure(std::string sentence) {
  return {Failure{std::move(sentence)}};
}

// Either a T or an E. Asking the wrong side is a bug and stops the process.
template <class T, class E = Failure>
class [[nodiscard]] Result {
 public:
  Result(T value) : either_(std::in_place_index<0>, std::move(value)) {}
  template <class F>
  Result(Fail<F> f) : either_(std::in_place_index<1>, std::move(f.error)) {}

  bool ok() const { return either_.index() == 0; }
  explicit operator bool() const { return ok(); }
  T& value() & { return TIDINGS_CHECK(ok()), std::get<0>(either_); }
  const T& value() const& { return TIDINGS_CHECK(ok()), std::get<0>(either_); }
  // By value, so that what a temporary held outlives it in `for (auto& x : f().value())`.
  T value() && { return TIDINGS_CHECK(ok()), std::get<0>(std::move(either_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  E& error() & { return TIDINGS_CHECK(!ok()), std::get<1>(either_); }
  const E& error() const& { return TIDINGS_CHECK(!ok()), std::get<1>(either_); }
  E&& error() && { return TIDINGS_CHECK(!ok()), std::get<1>(std::move(either_)); }

 private:
  std::variant<T, E> either_;
};

// Success without a value, or an E.
template <class E>
class [[nodiscard]] Result<void, E> {
 public:
  Result() = default;
  template <class F>
  Result(Fail<F> f) : error_(std::move(f.error)) {}

  bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }
  const E& error() const { return TIDINGS_CHECK(!ok()), *error_; }

 private:
  std::optional<E> error_;
};

using Status = Result<void, Failure>;

}  // namespace tidings::base
