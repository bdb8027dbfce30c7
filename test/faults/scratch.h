// A temporary directory that goes away with a run that succeeded.
#pragma once

#include <cstdio>
#include <filesystem>
#include <string>

namespace tidings::faults {

class Scratch {
 public:
  Scratch() {
    std::string name = (std::filesystem::temp_directory_path() / "tidings-faults-XXXXXX").string();
    if (mkdtemp(name.data())) path_ = name;
  }
  ~Scratch() {
    if (keep_) {
      std::fprintf(stderr, "the data directory is kept: %s\n", path_.c_str());
    } else {
      std::error_code ignored;
      std::filesystem::remove_all(path_, ignored);
    }
  }
  Scratch(const Scratch&) = delete;
  std::string data() const { return path_ + "/data"; }
  std::string aside() const { return path_ + "/aside"; }
  void keep() { keep_ = true; }

 private:
  std::string path_;
  bool keep_ = false;
};

// Says what went wrong, keeps the directory, and is the status of the run.
inline int failed(Scratch& scratch, const std::string& sentence) {
  std::fprintf(stderr, "%s\n", sentence.c_str());
  scratch.keep();
  return 1;
}

}  // namespace tidings::faults
