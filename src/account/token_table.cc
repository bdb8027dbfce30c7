#include "account/token_table.h"

#include <tuple>

namespace tidings::account {

void TokenTable::add_hashes(const ports::Device& device) {
  by_token_[device.token] = device.device;
  if (!device.chain) return;
  by_family_[device.chain->family] = device.device;
  if (device.chain->previous_token) by_token_[*device.chain->previous_token] = device.device;
}

void TokenTable::remove_hashes(const ports::Device& device) {
  by_token_.erase(device.token);
  if (!device.chain) return;
  by_family_.erase(device.chain->family);
  if (device.chain->previous_token) by_token_.erase(*device.chain->previous_token);
}

void TokenTable::add(const ports::Device& device) {
  add_hashes(device);
  by_user_[device.user].insert(device.device);
  Row& row = rows_[device.device];
  row = {device};
  row.device.name.clear();
}

TokenTable::Presented TokenTable::find(const ports::TokenHash& token) {
  const auto found = by_token_.find(token);
  if (found == by_token_.end()) return {};
  Row& row = rows_.at(found->second);
  if (row.device.token == token) return {&row, row.device.expires, true};
  return {&row, row.device.chain->previous_expires, false};
}

TokenTable::Row* TokenTable::find_family(const ports::TokenHash& family) {
  const auto found = by_family_.find(family);
  return found == by_family_.end() ? nullptr : &rows_.at(found->second);
}

TokenTable::Row* TokenTable::find(model::DeviceId device) {
  const auto found = rows_.find(device);
  return found == rows_.end() ? nullptr : &found->second;
}

void TokenTable::rotate(const ports::Device& device) {
  Row& row = rows_.at(device.device);
  remove_hashes(row.device);
  row.device.token = device.token;
  row.device.expires = device.expires;
  row.device.chain = device.chain;
  add_hashes(row.device);
}

void TokenTable::remove(model::DeviceId device) {
  const auto found = rows_.find(device);
  if (found == rows_.end()) return;
  remove_hashes(found->second.device);
  const auto person = by_user_.find(found->second.device.user);
  person->second.erase(device);
  if (person->second.empty()) by_user_.erase(person);
  rows_.erase(found);
}

std::vector<model::DeviceId> TokenTable::devices_of(model::UserId user) const {
  const auto person = by_user_.find(user);
  if (person == by_user_.end()) return {};
  return {person->second.begin(), person->second.end()};
}

std::optional<model::DeviceId> TokenTable::oldest_beyond(model::UserId user, size_t devices_max,
                                                         model::DeviceId except) const {
  const auto person = by_user_.find(user);
  if (person == by_user_.end() || person->second.size() <= devices_max) return std::nullopt;
  std::optional<model::DeviceId> oldest;
  const auto age = [&](model::DeviceId device) {
    return std::tuple(rows_.at(device).device.created, device);
  };
  for (const model::DeviceId device : person->second) {
    if (device != except && (!oldest || age(device) < age(*oldest))) oldest = device;
  }
  return oldest;
}

}  // namespace tidings::account
