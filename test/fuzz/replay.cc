// A target without libFuzzer: `fuzz_X_replay [--mutations N] DIRECTORY…` feeds it its seeds, the files of the
// directories (what was found once), and N changed copies of them, the same in each run. `--write DIRECTORY`
// writes the seeds there.
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <random>

#include "test/fuzz/target.h"

namespace {

using tidings::fuzz::feed;

const std::string* current = nullptr;

// The process ends in here, and not by chance: what it was fed is what people want to see.
void show_current(int) {
  std::fprintf(stderr, "the input: ");
  for (const char c : *current) {
    const bool plain = c >= ' ' && c <= '~' && c != '\\' && c != '"';
    std::fprintf(stderr, plain ? "%c" : "\\x%02x", plain ? c : static_cast<uint8_t>(c));
  }
  std::fprintf(stderr, "\n");
}

// From memory of just that size, so that AddressSanitizer sees a byte too many.
void feed_exactly(const std::string& bytes) {
  current = &bytes;
  const std::unique_ptr<char[]> copy(new char[bytes.size()]);
  std::memcpy(copy.get(), bytes.data(), bytes.size());
  feed({copy.get(), bytes.size()});
}

std::string changed(std::string bytes, const std::vector<std::string>& all, std::mt19937_64& random) {
  constexpr std::string_view likely("\0\xff\x80\r\n\"\\{}[]:;,0", 16);
  for (auto changes = random() % 4 + 1; changes > 0; --changes) {
    const size_t at = bytes.empty() ? 0 : random() % bytes.size();
    switch (random() % 6) {
      case 0:
        if (!bytes.empty()) bytes[at] = static_cast<char>(bytes[at] ^ 1 << random() % 8);
        break;
      case 1:
        if (!bytes.empty()) bytes[at] = likely[random() % likely.size()];
        break;
      case 2:
        bytes.insert(at, 1, likely[random() % likely.size()]);
        break;
      case 3:
        bytes.erase(at, random() % 8);
        break;
      case 4:
        bytes.resize(at);
        break;
      default: {
        const auto& other = all[random() % all.size()];
        bytes = bytes.substr(0, at) + other.substr(other.empty() ? 0 : random() % other.size());
      }
    }
  }
  return bytes;
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGABRT, show_current);
  auto all = tidings::fuzz::seeds();
  size_t mutations = 0, found = 0;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--write" && i + 1 < argc) {
      std::filesystem::create_directories(argv[i + 1]);
      for (size_t n = 0; n < all.size(); ++n)
        std::ofstream(std::string(argv[i + 1]) + "/seed-" + std::to_string(n)) << all[n];
      return 0;
    }
    if (word == "--mutations" && i + 1 < argc) {
      mutations = std::strtoul(argv[++i], nullptr, 10);
    } else if (std::filesystem::is_directory(word)) {
      for (const auto& entry : std::filesystem::directory_iterator(word)) {
        std::ifstream file(entry.path());
        all.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
        ++found;
      }
    }
  }
  for (const auto& one : all) feed_exactly(one);
  std::mt19937_64 random(20261122);
  for (size_t n = 0; n < mutations; ++n) feed_exactly(changed(all[random() % all.size()], all, random));
  std::printf("%zu seeds, %zu found once, %zu mutations: all as they must be\n", all.size() - found, found,
              mutations);
  return 0;
}
