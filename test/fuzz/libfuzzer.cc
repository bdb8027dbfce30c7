// A target under libFuzzer.
#include <cstddef>

#include "test/fuzz/target.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  tidings::fuzz::feed({reinterpret_cast<const char*>(data), size});
  return 0;
}
