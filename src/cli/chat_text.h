// Text of other people, made safe for a terminal.
#pragma once

#include <string>
#include <string_view>

namespace tidings::cli {

// Without control characters, terminal escapes and characters that reorder what stands around them. A line
// break becomes `line_break`, so that nobody can write lines in somebody else's name. What is not UTF-8
// becomes '?'.
std::string printable(std::string_view text, std::string_view line_break = " ");
// The first `characters` of it, with … if there was more.
std::string shortened(std::string_view text, size_t characters);

}  // namespace tidings::cli
