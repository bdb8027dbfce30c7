#include "net/names.h"

#include <memory>

namespace tidings::net {

using boost::asio::ip::tcp;

namespace {
constexpr base::nanoseconds look_interval = std::chrono::milliseconds(10);
}  // namespace

void Names::find(const std::string& host, uint16_t port,
                 std::function<void(std::vector<tcp::endpoint>)> done) {
  auto resolver = std::make_shared<tcp::resolver>(context_);
  resolver->async_resolve(host, std::to_string(port),
                          [this, resolver, done = std::move(done)](boost::system::error_code failed,
                                                                   const tcp::resolver::results_type& found) {
                            --under_way_;
                            std::vector<tcp::endpoint> targets;
                            if (!failed) targets.assign(found.begin(), found.end());
                            done(std::move(targets));
                          });
  if (under_way_++ == 0) look_later();
}

void Names::look_later() {
  reactor_.after(look_interval, [this] {
    context_.restart();
    context_.poll();
    if (under_way_ > 0) look_later();
  });
}

}  // namespace tidings::net
