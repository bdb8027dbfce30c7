// The outbox in a file that survives kill -9 and power loss: lines of text, appended, each with a checksum,
// synced before put() returns. Removals are written without a sync. A line that a crash has torn is dropped
// when the file is opened; the file is rewritten when most of it is of no use any more. Calls block; one
// thread. One process at a time (flock).
#pragma once

#include <cstdio>
#include <map>
#include <memory>
#include <string>

#include "client/cpp/store.h"

namespace tidings::client {

class OutboxFile final : public OutboxStore {
 public:
  // Creates the file (0600) if there is none. Fails with a sentence if another process has it open.
  static base::Result<std::unique_ptr<OutboxFile>> open(const std::string& path);
  ~OutboxFile() override;
  OutboxFile(const OutboxFile&) = delete;
  OutboxFile& operator=(const OutboxFile&) = delete;

  base::Result<std::vector<OutboxMessage>> load() override;
  base::Status put(const OutboxMessage& message) override;
  base::Status replace(const model::ClientId& old, const OutboxMessage& message) override;
  base::Status remove(const model::ClientId& client_id) override;

 private:
  explicit OutboxFile(std::string path) : path_(std::move(path)) {}
  base::Status read();
  base::Status append(const std::string& lines, bool sync);
  base::Status rewrite();

  std::string path_;
  int lock_ = -1;
  int file_ = -1;
  std::map<model::ClientId, OutboxMessage> messages_;
  size_t lines_ = 0;
  bool broken_ = false;  // a write failed half-way: rewrite before the next one
};

}  // namespace tidings::client
