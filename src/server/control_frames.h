// What a gateway process and its core tell each other besides Link frames: calls of accounts, good hellos of
// devices, ended log-ins, lineages. One control connection per process; bytes as of Link frames
// (docs/formats/link.md).
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "account/service.h"
#include "engine/socket/link_bytes.h"
#include "engine/socket/link_fields.h"
#include "gateway/gateway.h"

namespace tidings::server {

// --- Calls of account::Service: its arguments, and of what its answer is.
namespace call {

struct RegisterAccount {
  using Result = account::Profile;
  std::string handle, password, display_name, invite;
};
struct MakeInvite {
  using Result = account::IssuedInvite;
  account::Identity who;
};
struct LogIn {
  using Result = account::IssuedToken;
  std::string handle, password, device_name, address;
};
struct Refresh {
  using Result = account::IssuedToken;
  std::string refresh;
};
struct LogOut {
  using Result = void;
  std::string token;
};
struct Authenticate {
  using Result = account::Identity;
  std::string token;
};
struct ListDevices {
  using Result = std::vector<account::DeviceInfo>;
  model::UserId user;
};
struct RenameDevice {
  using Result = void;
  model::UserId user;
  model::DeviceId device;
  std::string name;
};
struct RemoveDevice {
  using Result = void;
  model::UserId user;
  model::DeviceId device;
};
struct ChangePassword {
  using Result = void;
  account::Identity who;
  std::string old_password, new_password;
};
struct SetDisplayName {
  using Result = account::Profile;
  model::UserId user;
  std::string display_name;
};
// Which of these devices are logged out.
struct FindRevoked {
  using Result = std::vector<model::DeviceId>;
  std::vector<model::DeviceId> devices;
};
struct FindByHandle {
  using Result = std::optional<account::Profile>;
  std::string handle;
};
struct FindByIds {
  using Result = std::vector<account::Profile>;
  std::vector<model::UserId> users;
};

}  // namespace call

using AccountCall = std::variant<call::RegisterAccount, call::MakeInvite, call::LogIn, call::Refresh,
                                 call::LogOut, call::Authenticate, call::ListDevices, call::RenameDevice,
                                 call::RemoveDevice, call::ChangePassword, call::SetDisplayName,
                                 call::FindRevoked, call::FindByHandle, call::FindByIds>;

// --- Up
struct AccountAsk {
  uint64_t number = 0;  // the gateway's own, given back in the answer
  AccountCall call;
};
// Every second.
struct Alive {
  std::vector<uint64_t> gateways;  // of the process, whose links end with it
};
using ControlUp = std::variant<AccountAsk, gateway::DeviceHello, Alive>;
// Between two CoreStatus, and two Alive.
inline constexpr base::nanoseconds control_interval = std::chrono::seconds(1);

// --- Down
// First of all.
struct CoreFacts {
  uint64_t shard_count = 0;
  model::Lineage lineage;                // of the core's start
  std::vector<model::Lineage> lineages;  // all that are known, in order
};
// Every second.
struct CoreStatus {
  base::WallTime log_time{};
  bool refuses = false;  // the log takes nothing
};
struct AccountAnswer {
  uint64_t number = 0;
  std::string answer;  // a wire::Answer of the call's Result, as put() writes it
};
struct Revoked {
  model::DeviceId device;
};
using ControlDown =
    std::variant<CoreFacts, CoreStatus, AccountAnswer, gateway::DeviceHello, Revoked, model::Lineage>;

// Whole messages, with the kind before.
base::Bytes encode_control(const ControlUp& frame);
base::Bytes encode_control(const ControlDown& frame);
// Nothing if they are no such frame; from any bytes.
std::optional<ControlUp> decode_control_up(base::BytesView message);
std::optional<ControlDown> decode_control_down(base::BytesView message);

// The longest message: a list of people or devices is far below it.
inline constexpr size_t control_message_bytes_max = 4u << 20;

}  // namespace tidings::server

namespace tidings::socket {

TIDINGS_FIELDS(account::Profile, 3);
TIDINGS_FIELDS(account::Identity, 2);
TIDINGS_FIELDS(account::IssuedToken, 5);
TIDINGS_FIELDS(account::IssuedInvite, 2);
TIDINGS_FIELDS(account::DeviceInfo, 4);
TIDINGS_FIELDS(gateway::DeviceHello, 4);
TIDINGS_FIELDS(server::call::RegisterAccount, 4);
TIDINGS_FIELDS(server::call::MakeInvite, 1);
TIDINGS_FIELDS(server::call::LogIn, 4);
TIDINGS_FIELDS(server::call::Refresh, 1);
TIDINGS_FIELDS(server::call::LogOut, 1);
TIDINGS_FIELDS(server::call::Authenticate, 1);
TIDINGS_FIELDS(server::call::ListDevices, 1);
TIDINGS_FIELDS(server::call::RenameDevice, 3);
TIDINGS_FIELDS(server::call::RemoveDevice, 2);
TIDINGS_FIELDS(server::call::ChangePassword, 3);
TIDINGS_FIELDS(server::call::SetDisplayName, 2);
TIDINGS_FIELDS(server::call::FindRevoked, 1);
TIDINGS_FIELDS(server::call::FindByHandle, 1);
TIDINGS_FIELDS(server::call::FindByIds, 1);
TIDINGS_FIELDS(server::AccountAsk, 2);
TIDINGS_FIELDS(server::Alive, 1);
TIDINGS_FIELDS(server::CoreFacts, 3);
TIDINGS_FIELDS(server::CoreStatus, 2);
TIDINGS_FIELDS(server::AccountAnswer, 2);
TIDINGS_FIELDS(server::Revoked, 1);

}  // namespace tidings::socket
