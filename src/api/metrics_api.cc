#include "api/metrics_api.h"

#include "api/operators.h"

namespace tidings::api {

void add_metrics_routes(Router& router, const Api::Parts& parts) {
  const auto* p = &parts;
  router.add("GET", "/metrics", Login::not_needed, [p](const CallPtr& call) {
    if (!may_read_metrics(call->request(), p->metrics_token))
      return call->refuse({wire::Code::forbidden, ""});
    call->answer_text(metrics_type, p->metrics->exposition());
  });
}

}  // namespace tidings::api
