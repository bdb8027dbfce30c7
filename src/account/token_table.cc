#include "account/token_table.h"

#include <tuple>

#include <sodium.h>

#include "base/hash.h"

namespace tidings::account {

std::string make_token(ports::Random& random) {
  std::array<uint8_t, 32> bits;
  random.fill(bits);
  constexpr int form = sodium_base64_VARIANT_URLSAFE_NO_PADDING;
  std::array<char, sodium_base64_ENCODED_LEN(32, form)> text;
  return sodium_bin2base64(text.data(), text.size(), bits.data(), bits.size(), form);
}

ports::TokenHash hash_of(const std::string& token) {
  return base::sha256(token);
}

void TokenTable::add(const ports::Device& device) {
  rows_[device.token] = {device.device, device.user, device.created, device.expires};
  by_user_[device.user].insert(device.token);
}

const TokenTable::Row* TokenTable::find(const ports::TokenHash& token) const {
  const auto found = rows_.find(token);
  return found == rows_.end() ? nullptr : &found->second;
}

void TokenTable::remove(const ports::TokenHash& token) {
  const auto found = rows_.find(token);
  if (found == rows_.end()) return;
  const auto person = by_user_.find(found->second.user);
  person->second.erase(token);
  if (person->second.empty()) by_user_.erase(person);
  rows_.erase(found);
}

std::optional<ports::TokenHash> TokenTable::oldest_beyond(model::UserId user, size_t devices_max,
                                                          model::DeviceId except) const {
  const auto person = by_user_.find(user);
  if (person == by_user_.end() || person->second.size() <= devices_max) return std::nullopt;
  std::optional<ports::TokenHash> oldest;
  const auto age = [&](const ports::TokenHash& token) {
    const Row& row = rows_.at(token);
    return std::tuple(row.created, row.device);
  };
  for (const auto& token : person->second) {
    if (rows_.at(token).device != except && (!oldest || age(token) < age(*oldest))) oldest = token;
  }
  return oldest;
}

}  // namespace tidings::account
