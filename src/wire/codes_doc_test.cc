#include "wire/codes_doc.h"

#include <cstdlib>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

namespace tidings::wire {
namespace {

TEST(CodesDocument, IsCurrent) {
  const std::string path = TIDINGS_SOURCE_DIR "/docs/protocol/codes.md";
  if (std::getenv("TIDINGS_WRITE_DOCS")) std::ofstream(path) << codes_document();
  std::ostringstream there;
  there << std::ifstream(path).rdbuf();
  EXPECT_EQ(there.str(), codes_document()) << "run this test with TIDINGS_WRITE_DOCS=1";
}

}  // namespace
}  // namespace tidings::wire
