// The configuration of `tidings serve`. None is needed. A TOML file gives way to the environment, the
// environment to flags; an unknown key is an error that says what was perhaps meant. docs/configuration.md
// lists the keys; a test keeps it true.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "account/service.h"
#include "base/limits.h"
#include "base/log_line.h"
#include "base/result.h"
#include "net/address.h"
#include "net/http.h"

namespace tidings::server {

// Which part of the server a process is.
enum class Role {
  both,     // core and gateways
  core,     // partitions, accounts, all that is kept; gateway processes connect to it
  gateway,  // sessions and REST of the core at Config::core
};

struct Config {
  Role role = Role::both;
  std::string core;  // path of the Unix socket between core and gateways; "": none
  std::string host = "127.0.0.1";
  uint16_t port = 65100;
  int shards = 0;               // 0: one per core
  std::string tls_certificate;  // both or neither
  std::string tls_key;
  net::AddressList proxies;  // whose word about their clients counts
  net::ForwardedBy forwarded_by = net::ForwardedBy::x_forwarded_for;
  std::vector<std::string> origins;  // of web pages that may open a WebSocket
  net::WebSocketCompression compression = net::WebSocketCompression::off;
  std::string data = "./tidings-data";
  uint64_t segment_bytes = 64ull << 20;
  uint64_t free_bytes_min = 1ull << 30;
  account::SignUp sign_up = account::SignUp::open;
  std::string metrics_token;   // "": /metrics is for this machine only
  std::string operators_host;  // where /metrics, /livez and /readyz are told apart from all else; "": nowhere
  uint16_t operators_port = 0;
  base::LogFormat log_format = base::LogFormat::text;
  base::LogLevel log_level = base::LogLevel::info;
  bool bench_profile = false;  // rates are lifted, in `limits` already
  base::Limits limits;
};

// One key, as documentation tells it.
struct ConfigKey {
  std::string name;   // "server.listen"; in the environment TIDINGS_SERVER__LISTEN
  std::string value;  // the default, as one would write it
  std::string about;
};
std::vector<ConfigKey> config_keys();

// Where settings come from, weakest first. Errors name the source, the key and, if it is near one, the key
// meant.
struct ConfigSources {
  std::string toml_path;                           // "" for none
  std::map<std::string, std::string> environment;  // whole environment; keys have the form TIDINGS_A__B
  std::vector<std::pair<std::string, std::string>> flags;  // key name → value
};
base::Result<Config> read_config(const ConfigSources& sources);

// "127.0.0.1:65100", "[::1]:65100" or ":65100" (all addresses of IPv4); port 0 lets the system choose.
base::Result<std::pair<std::string, uint16_t>> parse_listen(const std::string& text);
// The way back.
std::string listen_text(const std::string& host, uint16_t port);

}  // namespace tidings::server
