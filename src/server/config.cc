#include "server/config.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <functional>
#include <numeric>
#include <sstream>

#include <toml++/toml.h>

namespace tidings::server {

namespace {

struct Setting {
  ConfigKey key;
  std::function<base::Status(Config&, const std::string&)> set;
};

base::Result<uint64_t> parse_count(const std::string& text) {
  uint64_t n = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) {
    return base::failure("\"" + text + "\" is not a whole number");
  }
  return n;
}

// "64MiB": a number and a unit; a size without a unit is refused, because nobody knows what it means. Zero is
// zero in every unit.
base::Result<uint64_t> parse_bytes(const std::string& text) {
  if (text == "0") return uint64_t{0};
  static constexpr std::pair<const char*, unsigned> units[] = {
      {"KiB", 10}, {"MiB", 20}, {"GiB", 30}, {"B", 0}};
  for (const auto& [unit, shift] : units) {
    if (!text.ends_with(unit)) continue;
    const auto n = parse_count(text.substr(0, text.size() - std::string_view(unit).size()));
    if (n && *n <= UINT64_MAX >> shift) return *n << shift;
  }
  return base::failure("\"" + text + "\" is not a size; write for example 16KiB or 64MiB");
}

base::Result<base::nanoseconds> parse_duration(const std::string& text) {
  static constexpr std::pair<const char*, int64_t> units[] = {{"ms", 1'000'000},
                                                              {"s", 1'000'000'000},
                                                              {"m", 60 * 1'000'000'000ll},
                                                              {"h", 3600 * 1'000'000'000ll},
                                                              {"d", 86'400 * 1'000'000'000ll}};
  for (const auto& [unit, scale] : units) {
    if (!text.ends_with(unit)) continue;
    const auto n = parse_count(text.substr(0, text.size() - std::string_view(unit).size()));
    // 1,000,000,000 s, 31 years, is the longest.
    if (n && *n <= static_cast<uint64_t>(1'000'000'000'000'000'000 / scale))
      return base::nanoseconds(static_cast<int64_t>(*n) * scale);
  }
  return base::failure("\"" + text + "\" is not a duration; write for example 200ms, 10s or 24h");
}

// The serialized origins of RFC 6454: a scheme, a host in small letters, a port unless it is the scheme's
// own.
base::Result<std::vector<std::string>> parse_origins(const std::string& text) {
  std::vector<std::string> origins;
  if (text == "none") return origins;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find(',', at), text.size());
    const std::string origin = text.substr(at, end - at);
    const size_t host = origin.starts_with("https://") ? 8 : origin.starts_with("http://") ? 7 : 0;
    const bool plain =
        std::ranges::none_of(origin, [](char c) { return c <= ' ' || (c >= 'A' && c <= 'Z'); });
    if (host == 0 || host == origin.size() || !plain || origin.find('/', host) != origin.npos)
      return base::failure("\"" + origin + "\" is not an origin; write for example https://chat.example");
    origins.push_back(origin);
    at = end + 1;
  }
  return origins;
}

Setting bytes_limit(std::string name, std::string value, std::string about, size_t base::Limits::* limit,
                    uint64_t least) {
  return {{std::move(name), std::move(value), std::move(about)},
          [limit, least](Config& c, const std::string& text) -> base::Status {
            const auto n = parse_bytes(text);
            if (!n) return base::fail(n.error());
            if (*n < least) return base::failure("it must be at least " + std::to_string(least) + "B");
            c.limits.*limit = *n;
            return {};
          }};
}
Setting count_limit(std::string name, std::string value, std::string about, size_t base::Limits::* limit) {
  return {{std::move(name), std::move(value), std::move(about)},
          [limit](Config& c, const std::string& text) -> base::Status {
            const auto n = parse_count(text);
            if (!n) return base::fail(n.error());
            if (*n == 0) return base::failure("it must be at least 1");
            c.limits.*limit = *n;
            return {};
          }};
}
Setting time_limit(std::string name, std::string value, std::string about,
                   base::nanoseconds base::Limits::* limit, base::nanoseconds least = {}) {
  return {{std::move(name), std::move(value), std::move(about)},
          [limit, least](Config& c, const std::string& text) -> base::Status {
            const auto n = parse_duration(text);
            if (!n) return base::fail(n.error());
            if (*n < least) {
              return base::failure("it must be at least " +
                                   std::to_string(std::chrono::duration_cast<base::seconds>(least).count()) +
                                   "s");
            }
            c.limits.*limit = *n;
            return {};
          }};
}

// "10/s, 60": so many in a second (m minute, h hour), and so many at once after a rest.
base::Result<base::Rate> parse_rate(const std::string& text) {
  if (text == "off") return base::Rate{};
  const auto wrong = base::failure("\"" + text + "\" is not a rate; write for example \"10/s, 60\" or off");
  const auto slash = text.find('/'), comma = text.find(", ");
  if (slash == text.npos || comma != slash + 2) return wrong;
  const auto count = parse_count(text.substr(0, slash)), burst = parse_count(text.substr(comma + 2));
  constexpr uint64_t most = 1'000'000;
  if (!count || !burst || *count == 0 || *burst == 0 || *count > most || *burst > most) return wrong;
  base::Rate rate{*count, base::seconds(1), *burst};
  switch (text[slash + 1]) {
    case 's':
      break;
    case 'm':
      rate.period = std::chrono::minutes(1);
      break;
    case 'h':
      rate.period = std::chrono::hours(1);
      break;
    default:
      return wrong;
  }
  return rate;
}

Setting rate_limit(std::string name, std::string value, std::string about, base::Rate base::Limits::* limit) {
  return {{std::move(name), std::move(value), std::move(about)},
          [limit](Config& c, const std::string& text) -> base::Status {
            const auto rate = parse_rate(text);
            if (!rate) return base::fail(rate.error());
            c.limits.*limit = *rate;
            return {};
          }};
}
// One of some words.
template <class Value>
Setting choice(std::string name, std::string value, std::string about, Value Config::* field,
               std::vector<std::pair<std::string, Value>> words) {
  return {{std::move(name), std::move(value), std::move(about)},
          [field, words = std::move(words)](Config& c, const std::string& text) -> base::Status {
            std::string all;
            for (const auto& [word, meant] : words) {
              if (text == word) return c.*field = meant, base::Status();
              all += (all.empty() ? "" : ", ") + word;
            }
            return base::failure("\"" + text + "\" is none of: " + all);
          }};
}

const std::vector<Setting>& settings() {
  using base::Limits;
  static const std::vector<Setting> all{
      {{"server.listen", "127.0.0.1:65100",
        "address and port for WebSocket and REST; port 0 lets the system choose"},
       [](Config& c, const std::string& text) -> base::Status {
         const auto at = parse_listen(text);
         if (!at) return base::fail(at.error());
         std::tie(c.host, c.port) = *at;
         return {};
       }},
      {{"server.role", "both",
        "which part of the server this process is: both, core (all that is kept, no connections of clients), "
        "gateway (sessions and REST of the core at server.core)"},
       [](Config& c, const std::string& text) -> base::Status {
         for (const auto& [word, role] : {std::pair("both", Role::both), std::pair("core", Role::core),
                                          std::pair("gateway", Role::gateway)}) {
           if (text == word) return c.role = role, base::Status();
         }
         return base::failure("\"" + text + "\" is neither both nor core nor gateway");
       }},
      {{"server.core", "none",
        "path of the Unix socket at which a core takes gateway processes, or a gateway finds its core; at "
        "most "
        "100 bytes"},
       [](Config& c, const std::string& text) -> base::Status {
         if (text.size() > 100) return base::failure("it must be at most 100 bytes");
         c.core = text == "none" ? "" : text;
         return {};
       }},
      {{"server.shards", "0", "reactor threads; 0 is one per core"},
       [](Config& c, const std::string& text) -> base::Status {
         const auto n = parse_count(text);
         if (!n) return base::fail(n.error());
         if (*n > 256) return base::failure("it must be at most 256");
         c.shards = static_cast<int>(*n);
         return {};
       }},
      {{"server.tls_certificate", "",
        "PEM file of the certificate, with those that vouch for it: WebSocket and REST are inside TLS then"},
       [](Config& c, const std::string& text) -> base::Status {
         return c.tls_certificate = text, base::Status();
       }},
      {{"server.tls_key", "", "PEM file of its key; both files are read again when they change"},
       [](Config& c, const std::string& text) -> base::Status { return c.tls_key = text, base::Status(); }},
      {{"server.proxies", "",
        "addresses that are believed when they say for whom they connect, for example \"10.0.0.7, "
        "fd00::/8\""},
       [](Config& c, const std::string& text) -> base::Status {
         auto list = net::AddressList::parse(text);
         if (!list)
           return base::failure("\"" + text +
                                "\" is no list of addresses; write for example 10.0.0.7, fd00::/8");
         c.proxies = std::move(*list);
         return {};
       }},
      {{"server.forwarded_by", "x-forwarded-for",
        "the header in which these proxies name the client of a request: x-forwarded-for or forwarded"},
       [](Config& c, const std::string& text) -> base::Status {
         using net::ForwardedBy;
         for (const auto& [word, by] : {std::pair("x-forwarded-for", ForwardedBy::x_forwarded_for),
                                        std::pair("forwarded", ForwardedBy::forwarded)}) {
           if (text == word) return c.forwarded_by = by, base::Status();
         }
         return base::failure("\"" + text + "\" is neither x-forwarded-for nor forwarded");
       }},
      choice("server.log_format", "text", "lines of the log: text, or json for programs", &Config::log_format,
             {{"text", base::LogFormat::text}, {"json", base::LogFormat::json}}),
      choice("server.log_level", "info",
             "which lines are written: debug (every refusal, too), info, warning or error",
             &Config::log_level,
             {{"debug", base::LogLevel::debug},
              {"info", base::LogLevel::info},
              {"warning", base::LogLevel::warning},
              {"error", base::LogLevel::error}}),
      {{"server.metrics_token", "off", "who says it as a bearer may read /metrics from anywhere"},
       [](Config& c, const std::string& text) -> base::Status {
         if (text == "off") return c.metrics_token.clear(), base::Status();
         if (text.size() < 16) return base::failure("it must have at least 16 characters");
         c.metrics_token = text;
         return {};
       }},
      {{"server.operators", "none",
        "address and port for /metrics, /livez and /readyz alone; a core process without gateways has no "
        "other"},
       [](Config& c, const std::string& text) -> base::Status {
         if (text == "none") return c.operators_host.clear(), base::Status();
         const auto at = parse_listen(text);
         if (!at) return base::fail(at.error());
         std::tie(c.operators_host, c.operators_port) = *at;
         return {};
       }},
      {{"server.origins", "none",
        "web pages that may connect, as browsers name them, with commas between them: "
        "https://chat.example,https://example.org:8443; other programs send no origin and may"},
       [](Config& c, const std::string& text) -> base::Status {
         const auto origins = parse_origins(text);
         if (!origins) return base::fail(origins.error());
         c.origins = *origins;
         return {};
       }},
      choice("server.compression", "off",
             "on: messages of WebSockets are compressed with clients that offer it, which costs CPU and may "
             "leak",
             &Config::compression,
             {{"off", net::WebSocketCompression::off}, {"on", net::WebSocketCompression::on}}),
      {{"storage.path", "./tidings-data", "directory of everything that is kept; made if it does not exist"},
       [](Config& c, const std::string& text) -> base::Status {
         if (text.empty()) return base::failure("it must name a directory");
         c.data = text;
         return {};
       }},
      {{"storage.segment_bytes", "64MiB", "size of one file of the log; counts for new ones"},
       [](Config& c, const std::string& text) -> base::Status {
         const auto n = parse_bytes(text);
         if (!n) return base::fail(n.error());
         // One record of the largest frame must fit.
         if (*n < 128u << 10 || *n > 1ull << 30) return base::failure("it must lie between 128KiB and 1GiB");
         c.segment_bytes = *n;
         return {};
       }},
      {{"storage.free_bytes_min", "1GiB",
        "writes are refused while less is free on the disk besides room for the next file of the log; 0 does "
        "not watch"},
       [](Config& c, const std::string& text) -> base::Status {
         const auto n = parse_bytes(text);
         if (!n) return base::fail(n.error());
         if (*n > 1ull << 62) return base::failure("it must be at most 4294967296GiB");
         c.free_bytes_min = *n;
         return {};
       }},
      {{"accounts.sign_up", "open",
        "who may make an account: open (anybody), invite (who has one from somebody here), closed (only "
        "`tidings account add`)"},
       [](Config& c, const std::string& text) -> base::Status {
         using account::SignUp;
         for (const auto& [word, sign_up] :
              {std::pair("open", SignUp::open), std::pair("invite", SignUp::invite),
               std::pair("closed", SignUp::closed)}) {
           if (text == word) return c.sign_up = sign_up, base::Status();
         }
         return base::failure("\"" + text + "\" is neither open nor invite nor closed");
       }},
      time_limit("accounts.token_lifetime", "24h", "how long a token works before it has to be refreshed",
                 &Limits::token_lifetime, base::seconds(1)),
      time_limit("accounts.refresh_lifetime", "90d",
                 "a device that was not refreshed for so long is logged out", &Limits::refresh_lifetime,
                 base::seconds(1)),
      count_limit("accounts.failures_per_handle", "5",
                  "wrong passwords for one handle before the next try has to wait",
                  &Limits::log_in_failures_handle),
      count_limit("accounts.failures_per_address", "50", "wrong passwords from one address, likewise",
                  &Limits::log_in_failures_address),
      bytes_limit("limits.text", "16KiB", "longest text of a message, in UTF-8", &Limits::text_bytes_max, 1),
      count_limit("limits.connections", "16000", "open connections of the process", &Limits::connections_max),
      count_limit("limits.sends_in_flight", "32", "unanswered requests of one session",
                  &Limits::sends_in_flight_max),
      bytes_limit("limits.unacked", "192KiB",
                  "bytes that a session has not acknowledged, and that wait for its socket, before it gets "
                  "events no longer one by one",
                  &Limits::unacked_bytes_max, 64 * 1024),
      bytes_limit("limits.log_queue", "64MiB", "records that wait to be written before senders hear busy",
                  &Limits::log_queue_bytes_max, 1 << 20),
      count_limit("limits.states", "200000", "conversations in memory per shard before new ones hear busy",
                  &Limits::states_max),
      time_limit("limits.hello_timeout", "10s", "from the WebSocket upgrade to the hello",
                 &Limits::hello_timeout),
      time_limit("limits.silence_timeout", "70s", "a session that says nothing for so long is closed",
                 &Limits::silence_timeout),
      time_limit("limits.resume_timeout", "120s", "a session whose connection broke is kept for so long",
                 &Limits::resume_timeout),
      time_limit(
          "limits.core_silence", "5s",
          "a core and a gateway process that hear nothing of each other for so long do without the other",
          &Limits::core_silence_timeout, base::seconds(2)),
      time_limit("limits.drain_window", "5s", "at the end sessions are asked to move, and given so long",
                 &Limits::drain_window),
      choice("limits.profile", "normal", "bench lifts all rates and nothing else: for measuring",
             &Config::bench_profile, {{"normal", false}, {"bench", true}}),
      rate_limit("limits.person_sends", "10/s, 60", "messages of a person", &Limits::person_sends),
      rate_limit("limits.person_groups", "30/h, 10", "groups that a person makes", &Limits::person_groups),
      rate_limit("limits.person_additions", "500/h, 2000", "people that a person puts into groups",
                 &Limits::person_additions),
      rate_limit("limits.device_requests", "100/s, 500", "what a device asks, by frame or REST",
                 &Limits::device_requests),
      rate_limit("limits.address_hellos", "30/m, 30", "hellos from an address", &Limits::address_hellos),
      rate_limit("limits.address_log_ins", "30/m, 30", "log-ins and sign-ups from an address",
                 &Limits::address_log_ins),
      rate_limit("limits.address_calls", "50/s, 500", "REST calls from an address", &Limits::address_calls),
      rate_limit("limits.conversation_commands", "200/s, 400", "messages and changes in a conversation",
                 &Limits::conversation_commands),
      rate_limit("limits.process_requests", "50000/s, 100000", "what all devices of a process ask",
                 &Limits::process_requests),
  };
  return all;
}

size_t distance(const std::string& a, const std::string& b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t change = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, change}));
    }
  }
  return row.back();
}

base::Status set(Config& config, const std::string& source, const std::string& key,
                 const std::string& value) {
  for (const auto& setting : settings()) {
    if (setting.key.name != key) continue;
    const auto status = setting.set(config, value);
    if (!status) return base::failure(source + ": " + key + ": " + status.error().sentence);
    return {};
  }
  const auto nearest = std::min_element(
      settings().begin(), settings().end(),
      [&](const auto& a, const auto& b) { return distance(a.key.name, key) < distance(b.key.name, key); });
  std::string sentence = source + ": there is no setting \"" + key + "\"";
  if (distance(nearest->key.name, key) <= std::max<size_t>(3, key.size() / 3)) {
    sentence += "; did you mean \"" + nearest->key.name + "\"?";
  }
  return base::failure(sentence);
}

base::Status set_table(Config& config, const std::string& source, const std::string& prefix,
                       const toml::table& table) {
  for (const auto& [key, node] : table) {
    const std::string name = prefix + std::string(key.str());
    if (const auto* inner = node.as_table()) {
      if (const auto status = set_table(config, source, name + ".", *inner); !status) return status;
      continue;
    }
    std::string value;
    if (const auto text = node.value_exact<std::string>()) {
      value = *text;
    } else if (const auto number = node.value_exact<int64_t>()) {
      value = std::to_string(*number);
    } else {
      return base::failure(source + ": " + name + " must be text or a whole number");
    }
    if (const auto status = set(config, source, name, value); !status) return status;
  }
  return {};
}

base::Status set_file(Config& config, const std::string& path) {
  std::ifstream file(path);
  if (!file) return base::failure("the configuration file " + path + " cannot be read");
  std::stringstream text;
  text << file.rdbuf();
  try {
    return set_table(config, path, "", toml::parse(text.str(), path));
  } catch (const toml::parse_error& error) {
    return base::failure(path + ", line " + std::to_string(error.source().begin.line) + ": " +
                         std::string(error.description()));
  }
}

}  // namespace

std::vector<ConfigKey> config_keys() {
  std::vector<ConfigKey> keys;
  for (const auto& setting : settings()) keys.push_back(setting.key);
  return keys;
}

base::Result<Config> read_config(const ConfigSources& sources) {
  Config config;
  if (!sources.toml_path.empty()) {
    if (const auto status = set_file(config, sources.toml_path); !status) return base::fail(status.error());
  }
  for (const auto& [name, value] : sources.environment) {
    const auto split = name.find("__");
    if (!name.starts_with("TIDINGS_") || split == std::string::npos) continue;
    std::string key = name.substr(8, split - 8) + "." + name.substr(split + 2);
    std::transform(key.begin(), key.end(), key.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (const auto status = set(config, name, key, value); !status) return base::fail(status.error());
  }
  for (const auto& [key, value] : sources.flags) {
    if (const auto status = set(config, "flag", key, value); !status) return base::fail(status.error());
  }
  if (config.role != Role::both && config.core.empty()) {
    return base::failure("server.role \"core\" and \"gateway\" need server.core, the path of their socket");
  }
  if (config.bench_profile) config.limits.lift_rates();
  if (config.tls_certificate.empty() != config.tls_key.empty())
    return base::failure("server.tls_certificate and server.tls_key go together: set both or neither");
  return config;
}

base::Result<std::pair<std::string, uint16_t>> parse_listen(const std::string& text) {
  const auto colon = text.rfind(':');
  const auto port = colon == std::string::npos ? base::Result<uint64_t>(base::failure(""))
                                               : parse_count(text.substr(colon + 1));
  if (!port || *port > 65535)
    return base::failure("\"" + text + "\" is not HOST:PORT, for example 127.0.0.1:65100");
  std::string host = text.substr(0, colon);
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  if (bracketed) host = host.substr(1, host.size() - 2);
  if (!bracketed && host.find(':') != std::string::npos)
    return base::failure("\"" + text + "\": an address of IPv6 stands in brackets, for example [::1]:65100");
  return std::pair(host.empty() ? "0.0.0.0" : host, static_cast<uint16_t>(*port));
}

std::string listen_text(const std::string& host, uint16_t port) {
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

}  // namespace tidings::server
