#include "api/health_api.h"

#include "wire/frames.h"
#include "wire/json_writer.h"

namespace tidings::api {

void add_health_routes(Router& router, const Api::Parts& parts) {
  const auto* p = &parts;
  router.add("GET", "/livez", Login::not_needed,
             [](const CallPtr& call) { call->answer(200, R"({"status":"live"})"); });
  router.add("GET", "/readyz", Login::not_needed, [p](const CallPtr& call) {
    if (!p->ready()) return call->refuse({wire::Code::busy, "Writes are not accepted now."});
    call->answer(200, R"({"status":"ready"})");
  });
  router.add("GET", "/v1/version", Login::not_needed, [p](const CallPtr& call) {
    std::string out;
    wire::JsonWriter json(out);
    json.begin_object().key("version").string(p->version.empty() ? TIDINGS_VERSION : p->version);
    json.key("protocol").number(static_cast<uint64_t>(wire::protocol_version)).end_object();
    call->answer(200, std::move(out));
  });
}

}  // namespace tidings::api
