#include "engine/embedded/sqlite_accounts_state.h"

namespace tidings::embedded {

using ports::Device;
using ports::RefreshChain;
using ports::TokenHash;
using wire::Answer;

namespace {

// The columns of a chain in the order of the tables, from `family` on; all empty for a device without one.
void bind_chain(Run& run, const std::optional<RefreshChain>& chain) {
  const RefreshChain none;
  const RefreshChain& c = chain ? *chain : none;
  const auto hash = [&](const TokenHash& h) -> const TokenHash* { return chain ? &h : nullptr; };
  run.bind(hash(c.family)).bind(hash(c.current)).bind(c.expires).bind(c.previous).bind(c.previous_token);
  run.bind(c.previous_expires).bind(uint64_t{c.used});
}

bool read_optional(const Run& run, int column, std::optional<TokenHash>& hash) {
  return run.is_null(column) || run.read(column, hash.emplace());
}

std::optional<Device> device_of(const Run& run) {
  Device device{.device = {run.number(0)}, .user = {run.number(1)}, .name = run.bytes(2), .token = {}};
  if (!run.read(3, device.token)) return std::nullopt;
  device.created = run.time(4);
  device.expires = run.time(5);
  device.seen = run.time(6);
  if (run.is_null(7)) return device;
  auto& chain = device.chain.emplace();
  if (!run.read(7, chain.family) || !run.read(8, chain.current)) return std::nullopt;
  chain.expires = run.time(9);
  if (!read_optional(run, 10, chain.previous) || !read_optional(run, 11, chain.previous_token)) {
    return std::nullopt;
  }
  chain.previous_expires = run.time(12);
  chain.used = run.number(13) != 0;
  return device;
}

}  // namespace

Answer<void> SqliteAccounts::add_device(const Device& device) {
  Run run(state_->add_device);
  run.bind(device.device.value).bind(device.user.value).bind(device.name).bind(device.token);
  run.bind(device.created).bind(device.expires).bind(device.seen);
  bind_chain(run, device.chain);
  if (run.step() != SQLITE_DONE) return state_->failed("adding a device");
  return {};
}

Answer<std::vector<Device>> SqliteAccounts::devices() {
  Run run(state_->devices);
  return read_devices(run);
}

Answer<std::vector<Device>> SqliteAccounts::devices_of(model::UserId user) {
  Run run(state_->devices_of);
  run.bind(user.value);
  return read_devices(run);
}

Answer<std::vector<Device>> SqliteAccounts::read_devices(Run& run) {
  std::vector<Device> out;
  int rc = run.step();
  for (; rc == SQLITE_ROW; rc = run.step()) {
    auto device = device_of(run);
    if (!device) return state_->failed("reading a token");
    out.push_back(std::move(*device));
  }
  if (rc != SQLITE_DONE) return state_->failed("reading devices");
  return out;
}

Answer<bool> SqliteAccounts::rotate_tokens(const Device& device) {
  Run run(state_->rotate_tokens);
  run.bind(device.token).bind(device.expires);
  bind_chain(run, device.chain);
  run.bind(device.device.value);
  return state_->update(run, "changing a token");
}

Answer<bool> SqliteAccounts::mark_used(model::DeviceId device) {
  Run run(state_->mark_used);
  run.bind(device.value);
  return state_->update(run, "noting that a token is used");
}

Answer<bool> SqliteAccounts::rename_device(model::UserId user, model::DeviceId device,
                                           const std::string& name) {
  Run run(state_->rename_device);
  run.bind(name).bind(device.value).bind(user.value);
  return state_->update(run, "renaming a device");
}

Answer<void> SqliteAccounts::set_seen(const std::vector<std::pair<model::DeviceId, base::WallTime>>& seen) {
  Transaction transaction(state_->db.get());
  if (!transaction.begun()) return state_->failed("beginning to note when devices were seen");
  for (const auto& [device, time] : seen) {
    Run run(state_->set_seen);
    run.bind(time).bind(device.value);
    if (run.step() != SQLITE_DONE) return state_->failed("noting when a device was seen");
  }
  if (!transaction.commit()) return state_->failed("noting when devices were seen");
  return {};
}

Answer<void> SqliteAccounts::begin_removals(const std::vector<model::DeviceId>& devices) {
  Transaction transaction(state_->db.get());
  if (!transaction.begun()) return state_->failed("beginning to remove devices");
  for (const model::DeviceId device : devices) {
    Run run(state_->begin_removal);
    run.bind(device.value);
    if (run.step() != SQLITE_DONE) return state_->failed("removing a device");
  }
  if (!transaction.commit()) return state_->failed("removing devices");
  return {};
}

Answer<size_t> SqliteAccounts::finish_removals() {
  Run run(state_->finish_removals);
  if (run.step() != SQLITE_DONE) return state_->failed("deleting devices");
  return static_cast<size_t>(sqlite3_changes(state_->db.get()));
}

}  // namespace tidings::embedded
