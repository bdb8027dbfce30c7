#include "test/sim/machine.h"

namespace tidings::sim {
namespace {

const char* const gone = "the process is dead";

class ProcessFile : public ports::File {
 public:
  ProcessFile(ProcessDisk& disk, std::unique_ptr<ports::File> file) : disk_(disk), file_(std::move(file)) {}

  base::Status write(uint64_t offset, base::BytesView bytes) override {
    if (auto refused = disk_.enter()) return base::fail(std::move(*refused));
    return file_->write(offset, bytes);
  }
  base::Result<base::Bytes> read(uint64_t offset, size_t size) override {
    if (auto refused = disk_.enter()) return base::fail(std::move(*refused));
    return file_->read(offset, size);
  }
  base::Status sync() override {
    if (auto refused = disk_.enter(true)) return base::fail(std::move(*refused));
    return file_->sync();
  }
  base::Result<uint64_t> size() override {
    if (auto refused = disk_.enter()) return base::fail(std::move(*refused));
    return file_->size();
  }
  base::Status truncate(uint64_t size) override {
    if (auto refused = disk_.enter()) return base::fail(std::move(*refused));
    return file_->truncate(size);
  }
  base::Status allocate(uint64_t size) override {
    if (auto refused = disk_.enter()) return base::fail(std::move(*refused));
    return file_->allocate(size);
  }

 private:
  ProcessDisk& disk_;
  std::unique_ptr<ports::File> file_;
};

}  // namespace

std::optional<base::Failure> ProcessDisk::enter(bool is_sync) {
  if (!process_.alive()) return base::Failure{gone};
  process_.scheduler().consume(random_.duration(latency_.call));
  if (is_sync) process_.scheduler().consume(random_.duration(latency_.sync));
  if (process_.scheduler().running() == &process_) process_.step();
  if (is_sync && fail_sync_at_ && --fail_sync_at_ == 0)
    return base::Failure{"simulated: the disk failed to sync"};
  return std::nullopt;
}

base::Result<std::unique_ptr<ports::File>> ProcessDisk::open(const std::string& path, Open how) {
  if (auto refused = enter()) return base::fail(std::move(*refused));
  auto file = disk_.open(path, how);
  if (!file.ok()) return base::fail(file.error());
  return std::unique_ptr<ports::File>(std::make_unique<ProcessFile>(*this, std::move(*file)));
}
base::Result<std::vector<std::string>> ProcessDisk::list(const std::string& directory) {
  if (auto refused = enter()) return base::fail(std::move(*refused));
  return disk_.list(directory);
}
base::Status ProcessDisk::make_directory(const std::string& directory) {
  if (auto refused = enter()) return base::fail(std::move(*refused));
  return disk_.make_directory(directory);
}
base::Status ProcessDisk::sync_directory(const std::string& directory) {
  if (auto refused = enter(true)) return base::fail(std::move(*refused));
  return disk_.sync_directory(directory);
}
base::Status ProcessDisk::rename(const std::string& from, const std::string& to) {
  if (auto refused = enter()) return base::fail(std::move(*refused));
  return disk_.rename(from, to);
}
base::Status ProcessDisk::remove(const std::string& path) {
  if (auto refused = enter()) return base::fail(std::move(*refused));
  return disk_.remove(path);
}
base::Result<std::unique_ptr<ports::DirectoryLock>> ProcessDisk::lock(const std::string& directory) {
  if (auto refused = enter()) return base::fail(std::move(*refused));
  return disk_.lock(directory);
}

template <class Call>
auto ProcessStore::enter(Call call) -> decltype(call()) {
  if (!process_.alive()) return base::failure(gone);
  process_.scheduler().consume(random_.duration(latency_));
  return call();
}

base::Status ProcessStore::commit(const ports::StoreBatch& batch) {
  auto done = enter([&] { return store_.commit(batch); });
  if (done.ok() && told_) told_();
  return done;
}
base::Status ProcessStore::sync() {
  return enter([&] { return store_.sync(); });
}
base::Result<std::optional<base::Bytes>> ProcessStore::load_state(const model::ConversationId& conversation) {
  return enter([&] { return store_.load_state(conversation); });
}
base::Result<std::vector<std::optional<base::Bytes>>> ProcessStore::load_states(
    const std::vector<model::ConversationId>& conversations) {
  return enter([&] { return store_.load_states(conversations); });
}
base::Result<std::optional<base::Bytes>> ProcessStore::find_entry(const model::ConversationId& conversation,
                                                                  model::UserId user,
                                                                  const model::ClientId& client_id) {
  return enter([&] { return store_.find_entry(conversation, user, client_id); });
}
base::Result<std::vector<ports::StoreBatch::Chunk>> ProcessStore::read_chunks(
    const model::ConversationId& conversation, model::Seq after, size_t bytes_max) {
  return enter([&] { return store_.read_chunks(conversation, after, bytes_max); });
}
base::Result<std::vector<model::ConversationId>> ProcessStore::list(model::UserId user,
                                                                    const model::ConversationId& from,
                                                                    const model::ConversationId& to,
                                                                    size_t limit) {
  return enter([&] { return store_.list(user, from, to, limit); });
}
base::Result<std::vector<ports::Checkpoint>> ProcessStore::checkpoints() {
  return enter([&] { return store_.checkpoints(); });
}
base::Result<model::Position> ProcessStore::low() {
  return enter([&] { return store_.low(); });
}
base::Result<std::optional<base::Bytes>> ProcessStore::lineage() {
  return enter([&] { return store_.lineage(); });
}

}  // namespace tidings::sim
