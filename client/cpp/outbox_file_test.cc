#include "client/cpp/outbox_file.h"

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {
bool disk_fails = false;
}

// Stands in for the C library's.
extern "C" int fdatasync(int file) {
  if (disk_fails) {
    errno = EIO;
    return -1;
  }
  return static_cast<int>(::syscall(SYS_fdatasync, file));
}

namespace tidings::client {
namespace {

namespace fs = std::filesystem;

class OutboxFileTest : public testing::Test {
 protected:
  OutboxFileTest() {
    std::string pattern = (fs::temp_directory_path() / "outbox-XXXXXX").string();
    directory = ::mkdtemp(pattern.data());
    path = directory / "ann.outbox";
  }
  ~OutboxFileTest() override { fs::remove_all(directory); }

  std::unique_ptr<OutboxFile> open() {
    auto opened = OutboxFile::open(path);
    EXPECT_TRUE(opened.ok()) << (opened.ok() ? "" : opened.error().sentence);
    return opened.ok() ? std::move(*opened) : nullptr;
  }
  static OutboxMessage message(uint64_t n, std::string text) {
    return {{model::uuid_v7(base::wall_from_ms(1'800'000'000'000), n, n)},
            {model::uuid_v8("c")},
            {model::MessageKind::text, std::move(text)},
            n};
  }
  std::string content() const {
    std::ifstream in(path);
    std::stringstream out;
    out << in.rdbuf();
    return out.str();
  }

  fs::path directory, path;
};

TEST_F(OutboxFileTest, KeepsMessagesInOrderAcrossOpens) {
  const auto a = message(1, "line one\nline two\t100 %"), b = message(2, ""), c = message(3, "ünï \x7f");
  {
    auto outbox = open();
    for (const auto& m : {c, a, b}) ASSERT_TRUE(outbox->put(m).ok());
    ASSERT_TRUE(outbox->remove(b.client_id).ok());
  }
  EXPECT_EQ(open()->load().value(), (std::vector{a, c}));
  EXPECT_EQ(fs::status(path).permissions(), fs::perms::owner_read | fs::perms::owner_write);
}

TEST_F(OutboxFileTest, SurvivesKill9) {
  const pid_t child = ::fork();
  if (child == 0) {
    auto outbox = OutboxFile::open(path);
    if (!outbox || !(*outbox)->put(message(1, "kept")).ok()) ::_exit(1);
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(open()->load().value(), std::vector{message(1, "kept")});
}

TEST_F(OutboxFileTest, ATornLastLineIsCutAtEveryByte) {
  {
    auto outbox = open();
    ASSERT_TRUE(outbox->put(message(1, "kept")).ok());
    ASSERT_TRUE(outbox->put(message(2, "torn")).ok());
  }
  const std::string whole = content();
  const size_t first = whole.find('\n') + 1;
  for (size_t size = first; size < whole.size(); ++size) {
    std::ofstream(path, std::ios::trunc) << whole.substr(0, size);
    EXPECT_EQ(open()->load().value(), std::vector{message(1, "kept")});
    EXPECT_EQ(content(), whole.substr(0, first));
  }
}

TEST_F(OutboxFileTest, ACrashWhileRenamingLeavesTheMessageUnderOneOfItsIds) {
  const auto a = message(1, "before it"), b = message(2, "renamed"), c = message(3, "behind it");
  auto renamed = message(4, "renamed");
  renamed.order = b.order;
  std::string before;
  {
    auto outbox = open();
    for (const auto& m : {a, b, c}) ASSERT_TRUE(outbox->put(m).ok());
    before = content();
    ASSERT_TRUE(outbox->replace(b.client_id, renamed).ok());
    EXPECT_EQ(outbox->load().value(), (std::vector{a, renamed, c}));
  }
  const std::string whole = content();
  for (size_t size = before.size(); size < whole.size(); ++size) {
    std::ofstream(path, std::ios::trunc) << whole.substr(0, size);
    EXPECT_EQ(open()->load().value(), (std::vector{a, b, c})) << size;
  }
  std::ofstream(path, std::ios::trunc) << whole;
  EXPECT_EQ(open()->load().value(), (std::vector{a, renamed, c}));
}

TEST_F(OutboxFileTest, APutThatFailsAtTheSyncIsNotThereAtTheNextStart) {
  const auto kept = message(1, "kept"), refused = message(2, "refused");
  for (const bool disk_is_full : {false, true}) {
    fs::remove_all(path);
    auto outbox = open();
    ASSERT_TRUE(outbox->put(kept).ok());
    // A directory in its place makes every rewrite fail.
    if (disk_is_full) fs::create_directory(path.string() + ".new");
    disk_fails = true;
    EXPECT_FALSE(outbox->put(refused).ok());
    disk_fails = false;
    EXPECT_EQ(content().find("refused"), std::string::npos) << disk_is_full;
    fs::remove(path.string() + ".new");
    outbox.reset();
    outbox = open();
    EXPECT_EQ(outbox->load().value(), std::vector{kept});
    EXPECT_TRUE(outbox->put(refused).ok());
    EXPECT_EQ(outbox->load().value(), (std::vector{kept, refused}));
  }
}

TEST_F(OutboxFileTest, AChangedByteSpoilsOnlyItsLine) {
  {
    auto outbox = open();
    ASSERT_TRUE(outbox->put(message(1, "spoiled")).ok());
    ASSERT_TRUE(outbox->put(message(2, "whole")).ok());
  }
  std::string text = content();
  text[text.find("spoiled")] = 'S';
  std::ofstream(path, std::ios::trunc) << text;
  EXPECT_EQ(open()->load().value(), std::vector{message(2, "whole")});
  EXPECT_TRUE(fs::exists(path.string() + ".torn"));
}

TEST_F(OutboxFileTest, DoesNotGrowWithoutEnd) {
  auto outbox = open();
  ASSERT_TRUE(outbox->put(message(1, "stays")).ok());
  for (uint64_t n = 2; n < 560; ++n) {
    ASSERT_TRUE(outbox->put(message(n, "x")).ok());
    ASSERT_TRUE(outbox->remove(message(n, "x").client_id).ok());
  }
  EXPECT_LT(fs::file_size(path), 1010 * 160u);
  outbox.reset();
  EXPECT_EQ(open()->load().value(), std::vector{message(1, "stays")});
}

TEST_F(OutboxFileTest, ASecondUserIsTurnedAwayInASentence) {
  const auto first = open();
  const auto second = OutboxFile::open(path);
  ASSERT_FALSE(second.ok());
  EXPECT_THAT(second.error().sentence, testing::HasSubstr("using"));
}

}  // namespace
}  // namespace tidings::client
