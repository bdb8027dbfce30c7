// A callable that can be moved and run, but not copied: what executors pass around. Small callables need no
// allocation.
#pragma once

#include <cstddef>
#include <new>
#include <type_traits>
#include <utility>

namespace tidings::base {

template <class Signature>
class UniqueFunction;

template <class R, class... Args>
class UniqueFunction<R(Args...)> {
 public:
  UniqueFunction() = default;
  UniqueFunction(std::nullptr_t) {}
  template <class F>
    requires(!std::is_same_v<std::decay_t<F>, UniqueFunction> &&
             std::is_invocable_r_v<R, std::decay_t<F>&, Args...>)
  UniqueFunction(F&& f) {
    using Fn = std::decay_t<F>;
    if constexpr (fits<Fn>) {
      new (storage_) Fn(std::forward<F>(f));
    } else {
      *reinterpret_cast<Fn**>(storage_) = new Fn(std::forward<F>(f));
    }
    table_ = &table_of<Fn>;
  }
  UniqueFunction(UniqueFunction&& other) noexcept { take(other); }
  UniqueFunction& operator=(UniqueFunction&& other) noexcept {
    if (this != &other) {
      reset();
      take(other);
    }
    return *this;
  }
  ~UniqueFunction() { reset(); }

  explicit operator bool() const { return table_ != nullptr; }
  R operator()(Args... args) { return table_->call(storage_, std::forward<Args>(args)...); }

 private:
  static constexpr size_t inline_bytes = 48;
  struct Table {
    R (*call)(void*, Args&&...);
    void (*move)(void* from, void* to) noexcept;
    void (*destroy)(void*) noexcept;
  };
  template <class Fn>
  static constexpr bool fits = sizeof(Fn) <= inline_bytes && alignof(Fn) <= alignof(std::max_align_t) &&
                               std::is_nothrow_move_constructible_v<Fn>;
  template <class Fn>
  static Fn& get(void* storage) {
    if constexpr (fits<Fn>) {
      return *std::launder(reinterpret_cast<Fn*>(storage));
    } else {
      return **reinterpret_cast<Fn**>(storage);
    }
  }
  template <class Fn>
  static constexpr Table table_of = {
      [](void* s, Args&&... args) -> R { return get<Fn>(s)(std::forward<Args>(args)...); },
      [](void* from, void* to) noexcept {
        if constexpr (fits<Fn>) {
          new (to) Fn(std::move(get<Fn>(from)));
          get<Fn>(from).~Fn();
        } else {
          *reinterpret_cast<Fn**>(to) = *reinterpret_cast<Fn**>(from);
        }
      },
      [](void* s) noexcept {
        if constexpr (fits<Fn>) {
          get<Fn>(s).~Fn();
        } else {
          delete *reinterpret_cast<Fn**>(s);
        }
      }};

  void take(UniqueFunction& other) noexcept {
    table_ = std::exchange(other.table_, nullptr);
    if (table_) table_->move(other.storage_, storage_);
  }
  void reset() {
    if (table_) std::exchange(table_, nullptr)->destroy(storage_);
  }

  alignas(std::max_align_t) std::byte storage_[inline_bytes];
  const Table* table_ = nullptr;
};

using Task = UniqueFunction<void()>;

}  // namespace tidings::base
