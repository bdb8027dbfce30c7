// Echoes what it is sent, with the sockets and the codec of the server: what the conformance cases talk to.
// With --compression it agrees on permessage-deflate, and then compresses everything. Prints its port and
// goes on until its standard input ends.
#include <cstdio>
#include <future>
#include <memory>
#include <string_view>
#include <unordered_map>

#include "net/http.h"

namespace tidings {
namespace {

class Echo final : public net::HttpHandler {
 public:
  void on_request(net::HttpRequest, net::HttpReply reply) override { reply({404, {}, ""}); }
  void on_websocket(std::unique_ptr<net::WebSocket> socket) override {
    auto end = std::make_unique<End>(*this, std::move(socket));
    End* const key = end.get();
    ends_.emplace(key, std::move(end));
  }
  net::HttpResponse refusal(int status, std::string_view detail) override {
    return {status, {}, std::string(detail)};
  }
  void clear() { ends_.clear(); }

 private:
  struct End final : net::WebSocket::Handler {
    End(Echo& all, std::unique_ptr<net::WebSocket> s) : echo(all), socket(std::move(s)) {
      socket->set_handler(this);
    }
    void on_message(std::string_view text) override { socket->send(text); }
    void on_binary(std::string_view bytes) override { socket->send_binary(bytes); }
    void on_closed(uint16_t, std::string_view) override { echo.ends_.erase(this); }
    Echo& echo;
    std::unique_ptr<net::WebSocket> socket;
  };
  std::unordered_map<End*, std::unique_ptr<End>> ends_;
};

int run(bool compression) {
  base::Limits limits;
  limits.frame_bytes_max = 64u << 20;  // the cases go up to 16 MiB
  Echo echo;
  net::Reactor reactor("echo");
  auto listening = net::HttpServer::listen(
      reactor, echo,
      {.websocket_path = "/",
       .subprotocol = "",
       .takes_binary = true,
       .compression = compression ? net::WebSocketCompression::always : net::WebSocketCompression::off,
       .limits = &limits});
  if (!listening) {
    std::fprintf(stderr, "%s\n", listening.error().sentence.c_str());
    return 1;
  }
  reactor.start();
  std::printf("%u\n", unsigned{(*listening)->port()});
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  std::promise<void> gone;
  reactor.post([&] {
    echo.clear();
    (*listening).reset();
    gone.set_value();
  });
  gone.get_future().wait();
  reactor.stop();
  return 0;
}

}  // namespace
}  // namespace tidings

int main(int count, char** words) {
  return tidings::run(count > 1 && std::string_view(words[1]) == "--compression");
}
