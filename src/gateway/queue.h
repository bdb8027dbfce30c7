// A queue that is mostly empty: then it is one pointer.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

namespace tidings::gateway {

template <class T>
class Queue {
 public:
  bool empty() const { return !items_; }
  size_t size() const { return items_ ? items_->all.size() - items_->begin : 0; }
  T& front() { return items_->all[items_->begin]; }
  T& operator[](size_t i) { return items_->all[items_->begin + i]; }
  void push_back(T item) {
    if (!items_) items_ = std::make_unique<Items>();
    items_->all.push_back(std::move(item));
  }
  void append(const std::vector<T>& items) {
    if (!items_) items_ = std::make_unique<Items>();
    items_->all.insert(items_->all.end(), items.begin(), items.end());
  }
  void pop_front() {
    auto& all = items_->all;
    if (++items_->begin == all.size()) return items_.reset();
    if (items_->begin < all.size() / 2) return;
    all.erase(all.begin(), all.begin() + static_cast<ptrdiff_t>(std::exchange(items_->begin, 0)));
  }
  void clear() { items_.reset(); }
  template <class Condition>
  void erase_if(Condition condition) {
    if (!items_) return;
    auto& all = items_->all;
    all.erase(all.begin(), all.begin() + static_cast<ptrdiff_t>(std::exchange(items_->begin, 0)));
    std::erase_if(all, condition);
    if (all.empty()) items_.reset();
  }

 private:
  struct Items {
    std::vector<T> all;
    size_t begin = 0;
  };
  std::unique_ptr<Items> items_;
};

}  // namespace tidings::gateway
